"""Layout checks of figures: text is inside the figure, large enough, and does not overlap."""

import base64
import io
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image


def texts(figure: Figure) -> list[Text]:
    """All visible texts of a figure."""
    FigureCanvasAgg(figure).draw()
    hidden = []
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        outside = [t for t in ticks if not low <= t.get_loc() <= high]
        hidden += [label for t in outside for label in (t.label1, t.label2)]
    visible = figure.findobj(lambda a: isinstance(a, Text) and a.get_visible() and a.get_text())
    return [t for t in visible if t not in hidden and box_of(t).width]


def box_of(text: Text) -> Bbox:
    """The bounding box of a text, without its outline."""
    return Text.get_window_extent(text)


def check_type(figure: Figure, slanted: int = 0) -> list[str]:
    """Check that all texts have at least 7 points, are inside and do not overlap; return them.

    The `slanted` rotated texts are only checked to be inside, because their boxes overlap.
    """
    shown, canvas = texts(figure), figure.bbox
    assert shown
    for text in shown:
        assert text.get_fontsize() >= 7, text
        box = box_of(text)
        assert box.x0 >= -1, text
        assert box.y0 >= -1, text
        assert box.x1 <= canvas.x1 + 1, text
        assert box.y1 <= canvas.y1 + 1, text
    straight = [t for t in shown if not t.get_rotation() % 90]
    assert len(shown) - len(straight) == slanted
    boxes = [(text, box_of(text)) for text in straight]
    for (one, a), (other, b) in combinations(boxes, 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert wide <= 1 or high <= 3, (one, other)
    return [t.get_text() for t in shown]


def opened(uri):
    """Decode the pixels of a WebP in a data URI."""
    head, _, body = uri.partition(",")
    assert head == "data:image/webp;base64"
    return np.array(Image.open(io.BytesIO(base64.b64decode(body))))


def luminance(colour: Any) -> float:
    """The relative luminance of a colour, 0 to 1 (WCAG 2)."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(parts, [0.2126, 0.7152, 0.0722]))


def contrast(one: Any, other: Any = "white") -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def check_contrast(figure: Figure) -> None:
    """Check that lines have at least 3:1 on white, and texts 4.5:1, but for numbers in cells."""
    for line in (line for axes in figure.axes for line in axes.lines):
        assert contrast(line.get_color()) >= 3, line
    inside = {text for axes in figure.axes if axes.collections for text in axes.texts}
    for text in texts(figure):
        assert text in inside or contrast(text.get_color()) >= 4.5, text
