"""Building blocks of figures: image grids, animations and files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from PIL import ExifTags, Image, ImageDraw, PngImagePlugin

from disentangle._utils.files import atomic
from disentangle.errors import UsageError
from disentangle.figures.palette import GREY, INK

if TYPE_CHECKING:
    from torch import Tensor


HEAD, MARGIN, FOOT = 16, 96, 12  # pixels above, beside and (per line) below an animation
METADATA: Mapping[str, tuple[str, str, str, str]] = MappingProxyType(
    {
        "png": ("Software", "Source", "Title", "Description"),
        "pdf": ("Creator", "Subject", "Title", "Keywords"),
        "svg": ("Creator", "Source", "Title", "Description"),
    }
)
"""Format -> the metadata keys for the software, the provenance, the title and the caption."""


STILL = (".png", ".pdf", ".svg")
"""Formats of a still figure."""


def check_suffix(path: Path, known: tuple[str, ...] = STILL) -> str:
    """Return the suffix of a figure's name in lower case.

    Raises:
        UsageError: the figure has no such format.
    """
    if path.suffix.lower() not in known:
        raise UsageError(f"{path}: expected a file name that ends with {', '.join(known)}")
    return path.suffix.lower()


def as_float(images: "Tensor") -> "Tensor":
    """Convert uint8 images to float in [0, 1]; return float images unchanged."""
    return images if images.is_floating_point() else images.float() / 255


def mosaic(images: "Tensor") -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Join images [rows, columns, C, H, W] in [0, 1] into one uint8 RGB picture, a pixel apart."""
    from torch.nn import functional

    rows, _, channels, height, _ = images.shape
    apart = functional.pad(images, (0, 1, 0, 1), value=0.5)
    grid = apart.permute(0, 3, 1, 4, 2).reshape(rows * (height + 1), -1, channels)
    picture = (grid[:-1, :-1].clamp(0, 1) * 255).round().byte().numpy()
    return np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))


def show(axes: Any, picture: np.ndarray[Any, Any]) -> None:
    """Show a picture without a frame, one data unit per pixel."""
    axes.imshow(picture, extent=(0, picture.shape[1], picture.shape[0], 0), interpolation="lanczos")
    for spine in axes.spines.values():
        spine.set_visible(False)


def save_figure(
    figure: Any,
    path: Path,
    software: str = "",
    source: str = "",
    title: str = "",
    caption: str = "",
) -> None:
    """Write a figure as PNG, PDF or SVG, by its suffix; the write is atomic.

    In PDF and SVG, text stays text and images keep their original pixels.

    Args:
        figure: the matplotlib figure.
        path: the file.
        software: the software that made it, for the file's metadata.
        source: its provenance, for the file's metadata.
        title: what it shows, for the file's metadata.
        caption: its caption, for the file's metadata.
    """
    from matplotlib import rc_context

    suffix = path.suffix.lower().removeprefix(".")
    keys = METADATA[suffix]
    texts = (software, source, title, caption)
    metadata = {key: text for key, text in zip(keys, texts, strict=True) if text}
    for image in [image for axes in figure.axes for image in axes.images]:
        image.set_interpolation("lanczos" if suffix == "png" else "none")
    path.parent.mkdir(parents=True, exist_ok=True)
    plain: Any = {"pdf.fonttype": 42, "svg.fonttype": "none", "image.composite_image": False}
    with rc_context(plain), atomic(path) as temporary:
        figure.savefig(temporary, format=suffix, metadata=metadata)
        if suffix == "png":
            drop_channels(temporary)


def drop_channels(path: Path) -> None:
    """Rewrite a PNG without channels that say nothing: opaque alpha, and colours that are grey.

    Pixels, texts and resolution stay as they are; a grey figure takes half the space.
    """
    with Image.open(path) as image:
        if image.getchannel("A").getextrema() != (255, 255):
            return
        texts = PngImagePlugin.PngInfo()
        for key, text in cast(PngImagePlugin.PngImageFile, image).text.items():
            texts.add_text(key, text)
        colour = image.convert("RGB")
        grey = colour.convert("L")
        smaller = grey if grey.convert("RGB").tobytes() == colour.tobytes() else colour
        smaller.save(path, "PNG", pnginfo=texts, dpi=image.info["dpi"])


def save_animation(
    blocks: "Tensor",
    heads: Sequence[str],
    labels: Sequence[str],
    strong: Sequence[bool],
    path: Path,
    software: str = "",
    source: str = "",
    *,
    caption: bool = True,
) -> None:
    """Write an animation that plays forwards and backwards, as GIF or WebP; the write is atomic.

    Args:
        blocks: images [column, row, time, C, H, W] in [0, 1].
        heads: headings of the columns.
        labels: labels of the rows, in a margin on the left.
        strong: for each label, True for black and False for grey.
        path: the file.
        software: the software that made it, written below and into the file's metadata.
        source: its provenance, written below and into the file's metadata.
        caption: False to write software and provenance into the metadata only.
    """
    margin = max(MARGIN, *(8 + _width(line) for label in labels for line in label.split("\n")))
    width = margin + (blocks.shape[-1] + 1) * len(blocks) - 8
    feet = _wrapped(f"{source}; {software}", width) if caption else []
    length = blocks.shape[2]
    frames = [
        _frame(blocks[:, :, t], heads, labels, strong, feet, margin)
        for t in [*range(length), *range(length - 2, 0, -1)]
    ]
    suffix = path.suffix.lower().removeprefix(".")
    options: dict[str, Any] = {"comment": f"{source}; {software}"}
    if suffix == "webp":
        exif = Image.Exif()
        exif[ExifTags.Base.ImageDescription] = source
        exif[ExifTags.Base.Software] = software
        options = {"exif": exif, "lossless": True, "method": 3}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        frames[0].save(
            temporary,
            format=suffix.upper(),
            save_all=True,
            append_images=frames[1:],
            duration=60,
            loop=0,
            **options,
        )


def _frame(
    images: "Tensor",
    heads: Sequence[str],
    labels: Sequence[str],
    strong: Sequence[bool],
    feet: Sequence[str],
    margin: int,
) -> Image.Image:
    """Draw one frame: images [column, row, C, H, W] with headings, labels and foot lines."""
    size = images.shape[-2] + 1
    picture = mosaic(images.transpose(0, 1))
    below = HEAD + picture.shape[0] + 4
    frame = Image.new("RGB", (picture.shape[1] + margin, below + FOOT * len(feet) + 2), "white")
    frame.paste(Image.fromarray(picture), (margin, HEAD))
    draw = ImageDraw.Draw(frame)
    for column, head in enumerate(heads):
        draw.text((margin + size * column + size // 2, HEAD // 2), head, INK, anchor="mm")
    for row, (label, dark) in enumerate(zip(labels, strong, strict=True)):
        middle = (4, HEAD + size * row + size // 2)
        draw.multiline_text(middle, label, INK if dark else GREY, anchor="lm")
    for number, line in enumerate(feet):
        draw.text((4, below + FOOT * number), line, GREY)
    return frame


def _width(text: str) -> int:
    """The width of a line of text in pixels."""
    return round(ImageDraw.Draw(Image.new("RGB", (1, 1))).textlength(text))


def _wrapped(text: str, width: int) -> list[str]:
    """Wrap text into lines of at most `width` pixels."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
