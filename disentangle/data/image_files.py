"""Image files decoded into rows of bytes by threads, as Pillow releases the GIL while decoding."""

import re
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from io import BytesIO
from itertools import islice
from threading import Event
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from disentangle._utils.callbacks import Progress, silent
from disentangle._utils.device import cores
from disentangle.data.archive import Piece
from disentangle.errors import DisentangleError

Rows = NDArray[np.uint8]
Fit = Callable[[Image.Image], Image.Image]
Size = tuple[int, int]  # width and height

BLOCK = 32  # images: enough to hide the overhead of a block, few enough for low latency
PIXELS = 50_000_000  # maximum pixels of an image
MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")  # for EPS Pillow runs Ghostscript

_FIRST = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def decode(content: bytes, name: str, size: Size | None = None) -> Image.Image:
    """Decode the content of an image file in one of `FORMATS`; errors mention `name`.

    Raises:
        DisentangleError: the file is not one intact image of 8 bits per channel in one of `MODES`,
            or its size is not `size`, or it has more than `PIXELS` pixels.
    """
    with quiet():
        return _decode(content, repr(name), size)


def header(piece: Piece) -> Image.Image:
    """Open the image in a file to read its size and mode, without decoding; raises as `decode`."""
    with quiet():
        return _decode(piece.read(), str(piece), None, load=False)


def flat(image: Image.Image, channels: int) -> Image.Image:
    """Convert `image` to mode L (1 channel) or RGB (3), with transparent parts on white."""
    mode = {1: "L", 3: "RGB"}[channels]
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == mode else image.convert(mode)


def centre_crop(image: Image.Image, side: int) -> Image.Image:
    """Crop the central side x side pixels, with offsets rounded down.

    Raises:
        DisentangleError: the image is smaller.
    """
    width, height = image.size
    if side > min(width, height):
        raise DisentangleError(f"{width} x {height} pixels are too few to crop {side} x {side}")
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side))


def square(image: Image.Image) -> Image.Image:
    """Crop the largest central square."""
    return centre_crop(image, min(image.size))


def resized(image: Image.Image, side: int) -> Image.Image:
    """Resize `image` to side x side pixels by Lanczos resampling; unchanged if it has this size."""
    if image.size == (side, side):
        return image
    return image.resize((side, side), Image.Resampling.LANCZOS)


def decoded(
    pieces: Sequence[Piece],
    fit: Fit,
    *,
    size: Size | None = None,
    progress: Progress = silent,
) -> Iterator[Rows]:
    """Yield the images of `pieces` in order, in blocks [at most BLOCK, H, W, C].

    They are decoded on all cores, a few blocks ahead of the caller, until the iterator is closed.

    Args:
        pieces: the image files.
        fit: converts a decoded image to mode L or RGB and to one size; it runs in threads.
        size: width and height that each file must have.
        progress: called with the number of images done and of all images, in the caller's thread.

    Raises:
        DisentangleError: a file cannot be read or decoded, or images have different sizes.
    """
    threads = cores() + 1  # one more, as each sometimes waits for the GIL
    stop = Event()
    waiting = (pieces[i : i + BLOCK] for i in range(0, len(pieces), BLOCK))
    flying: deque[Future[Rows | None]] = deque()
    done, shape = 0, None
    Image.preinit()  # otherwise two threads might do it at once
    with quiet(), ThreadPoolExecutor(threads, "decode") as pool:
        try:
            while True:
                for block in islice(waiting, 2 * threads - len(flying)):
                    flying.append(pool.submit(_block, block, fit, size, stop))
                if not flying:
                    return
                rows = flying.popleft().result()
                if rows is None or stop.is_set():
                    continue  # another block failed, and raises in its turn
                if rows.shape[1:] != (shape := shape or rows.shape[1:]):
                    raise _other(pieces[done], rows.shape[1:], shape)
                done += len(rows)
                progress(done, len(pieces))
                yield rows
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _block(pieces: Sequence[Piece], fit: Fit, size: Size | None, stop: Event) -> Rows | None:
    try:
        for number, piece in enumerate(pieces):
            if stop.is_set():
                return None
            image = _decode(piece.read(), str(piece), size)
            try:
                image = fit(image)
            except DisentangleError as error:
                raise DisentangleError(f"cannot use {piece}: {error}") from error
            shape = (image.height, image.width, 1 if image.mode == "L" else 3)
            if number == 0:
                rows = np.empty((len(pieces), *shape), np.uint8)
                view, length = rows.data.cast("B"), rows[0].nbytes
            elif shape != rows.shape[1:]:
                raise _other(piece, shape, rows.shape[1:])
            view[number * length : (number + 1) * length] = image.tobytes()
        return rows
    except BaseException:
        stop.set()
        raise


def _decode(content: bytes, name: str, size: Size | None, load: bool = True) -> Image.Image:
    if not content:
        raise DisentangleError(f"{name} is empty (0 bytes); get it again or remove it")
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
        problem = problem_of(image, size)
        if problem is None:
            if load:
                image.load()
            return image
    except UnidentifiedImageError as error:
        formats = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        message = f"{name} is not a {formats} image; get it again or remove it"
        raise DisentangleError(message) from error
    except Exception as error:  # a damaged file can raise anything
        message = f"{name} cannot be decoded: {error}; get it again or remove it"
        raise DisentangleError(message) from error
    raise DisentangleError(f"{name} {problem}, or remove it")


def problem_of(image: Image.Image, size: Size | None = None) -> str | None:
    """Say why an image cannot be used, with a remedy; None if it can."""
    width, height = image.size
    if width * height > PIXELS:
        return f"has {width} x {height} pixels, more than {PIXELS:,}: make it smaller"
    if getattr(image, "is_animated", False):
        return "has several frames: save one frame as a separate file"
    if image.mode not in MODES:
        return f"has mode {image.mode}: convert it to 8-bit RGB or grey"
    if image.format != "JPEG" and ";16" in str(getattr(image, "tile", "")):
        return "has 16 bits per channel: convert it to 8-bit RGB or grey"
    if size is not None and image.size != size:
        return f"has {width} x {height} pixels, expected {size[0]} x {size[1]}: resize it"
    return None


def _other(piece: Piece, shape: tuple[int, ...], first: tuple[int, ...]) -> DisentangleError:
    problem = f"{piece}: expected height, width and channels {first} as before, got {shape}"
    return DisentangleError(f"{problem}; give all images the same shape, or remove this one")


@contextmanager
def quiet() -> Iterator[None]:
    """Hide Pillow's warnings about unusual files."""
    # warnings.catch_warnings would restore all filters, and so undo changes that other threads
    # made in the meantime.
    filters = cast(list[Any], warnings.filters)
    filters.insert(0, _FIRST)
    try:
        yield
    finally:
        with suppress(ValueError):
            filters.remove(_FIRST)
