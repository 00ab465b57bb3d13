"""HTML of objects in a notebook: small tables and pictures, all text escaped.

No colour is set but that of a picture's background, so that light and dark notebooks show them.
"""

import base64
import functools
import io
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from markupsafe import escape

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")
MOST_ROWS = 200
"""Rows of a table that are shown."""
MOST_BYTES = 150_000
"""Bytes of an embedded picture."""
WIDTHS = (720, 480, 320, 160)
"""Widths of an embedded picture in pixels: the first one of few enough bytes is taken."""
LEFT, RIGHT = ' style="text-align:left"', ' style="text-align:right"'


def never_failing(method: Callable[[T], str]) -> Callable[[T], str | None]:
    """Make a `_repr_html_` that returns None on any error, so that a notebook shows the text form.

    An object may be shown whose files are gone, or that another program has half written.
    """

    @functools.wraps(method)
    def shown(self: T) -> str | None:
        try:
            return method(self)
        except Exception:
            return None

    return shown


def text(value: object) -> str:
    """A value as escaped text; `Markup` stays as it is."""
    return str(escape(value))


def heading(title: object, note: object = "") -> str:
    """A bold title, and a note after it."""
    return f"<div><strong>{text(title)}</strong>{' ' if note else ''}{text(note)}</div>"


def paragraph(words: object) -> str:
    """A small paragraph."""
    return f"<div><small>{text(words)}</small></div>"


def cell(value: object, style: str = LEFT, tag: str = "td") -> str:
    """A cell of a table."""
    return f"<{tag}{style}>{text(value)}</{tag}>"


def table(
    rows: Sequence[Iterable[object]],
    head: Sequence[object] = (),
    numbers: int = 0,
    top: str = "",
) -> str:
    """A table of texts, of which the last `numbers` columns are aligned to the right.

    Args:
        rows: the rows.
        head: the headings.
        numbers: how many of the last columns are numbers.
        top: rows of headings as HTML, in place of `head`.
    """

    def line(values: Sequence[object], tag: str) -> str:
        words = len(values) - numbers
        cells = (cell(v, LEFT if i < words else RIGHT, tag) for i, v in enumerate(values))
        return f"<tr>{''.join(cells)}</tr>"

    top = top or (line(head, "th") if head else "")
    top = f"<thead>{top}</thead>" if top else ""
    body = "".join(line(list(row), "td") for row in rows[:MOST_ROWS])
    more = paragraph(f"and {len(rows) - MOST_ROWS:,} more rows") if len(rows) > MOST_ROWS else ""
    return f"<table>{top}<tbody>{body}</tbody></table>{more}"


def picture(image: "Image", shows: str) -> str:
    """An embedded picture, made smaller until it has few bytes."""
    for width in WIDTHS:
        content = png(image, width)
        if len(content) <= MOST_BYTES:
            break
    source = base64.b64encode(content).decode()
    style = "background:white;max-width:100%"
    return f'<img src="data:image/png;base64,{source}" alt="{text(shows)}" style="{style}">'


def png(image: "Image", width: int) -> bytes:
    """An image as PNG, at most this wide."""
    from PIL import Image

    shown = image.convert("RGB")
    if shown.width > width:
        height = max(1, round(shown.height * width / shown.width))
        shown = shown.resize((width, height), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    # Unlike the default method, this one keeps colours that few pixels have.
    shown.quantize(256, Image.Quantize.MAXCOVERAGE).save(file, format="PNG", optimize=True)
    return file.getvalue()


def row_of_images(images: Any) -> "Image":
    """Images uint8 [N, C, H, W], one beside another."""
    import numpy as np
    from PIL import Image

    pixels = np.asarray(images)
    count, _, high, wide = pixels.shape
    row = np.full((high, count * (wide + 2) - 2, 3), 255, np.uint8)
    for number, image in enumerate(pixels):
        colours = np.broadcast_to(image.transpose(1, 2, 0)[:, :, :3], (high, wide, 3))
        row[:, number * (wide + 2) :][:, :wide] = colours
    return Image.fromarray(row)
