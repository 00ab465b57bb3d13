"""Image files decoded into rows of bytes, by threads: Pillow lets them run while it decodes."""

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

BLOCK = 32  # images: enough to hide what a block costs, few enough to be soon there
PIXELS = 50_000_000  # that an image may have
MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")  # for EPS Pillow runs Ghostscript

_FIRST = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def decode(content: bytes, name: str, size: Size | None = None) -> Image.Image:
    """Return the loaded image in the content of a file in one of `FORMATS`, `name` for errors.

    Raises:
        DisentangleError: the file is not one whole image of 8 bits per channel in one of `MODES`,
            or has another size than `size` or more than `PIXELS` pixels.
    """
    with _quiet():
        return _decode(content, repr(name), size)


def header(piece: Piece) -> Image.Image:
    """Return the image in a file with its size and mode, not loaded; errors as of `decode`."""
    with _quiet():
        return _decode(piece.read(), str(piece), None, load=False)


def flat(image: Image.Image, channels: int) -> Image.Image:
    """Return `image` in mode L (1 channel) or RGB (3), what is transparent laid on white."""
    mode = {1: "L", 3: "RGB"}[channels]
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == mode else image.convert(mode)


def centre_crop(image: Image.Image, side: int) -> Image.Image:
    """Return the central side x side pixels, at offsets rounded down, or raise DisentangleError."""
    width, height = image.size
    if side > min(width, height):
        raise DisentangleError(f"{width} x {height} pixels have no central {side} x {side}")
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side))


def square(image: Image.Image) -> Image.Image:
    """Return the central box whose side is the image's shorter one."""
    return centre_crop(image, min(image.size))


def resized(image: Image.Image, side: int) -> Image.Image:
    """Return `image` at side x side pixels, by Lanczos resampling; itself if it has them."""
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
    """Yield the images of `pieces` in their order, in blocks [at most BLOCK, H, W, C].

    They are decoded on all cores, a few blocks ahead of the caller. Closing stops that.

    Args:
        fit: brings a decoded image to mode L or RGB and to one size; it runs in threads.
        size: width and height that each file must have.
        progress: called with the images done and all images, in the caller's thread.

    Raises:
        DisentangleError: a file cannot be read or decoded, or comes out at another size.
    """
    threads = cores() + 1  # one more, as each waits now and then for another in Python
    stop = Event()
    waiting = (pieces[i : i + BLOCK] for i in range(0, len(pieces), BLOCK))
    flying: deque[Future[Rows | None]] = deque()
    done, shape = 0, None
    Image.preinit()  # which two threads would do at once
    with _quiet(), ThreadPoolExecutor(threads, "decode") as pool:
        try:
            while True:
                for block in islice(waiting, 2 * threads - len(flying)):
                    flying.append(pool.submit(_block, block, fit, size, stop))
                if not flying:
                    return
                rows = flying.popleft().result()
                if rows is None or stop.is_set():
                    continue  # another block has failed, and raises when its turn comes
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
                raise DisentangleError(f"{piece} does not fit: {error}") from error
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
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
        problem = _problem(image, size)
        if problem is None:
            if load:
                image.load()
            return image
    except UnidentifiedImageError as error:
        known = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        why = f"{name} is no {known} image; get it again or leave it out"
        raise DisentangleError(why) from error
    except Exception as error:  # damage shows in any way
        why = f"{name} is no whole image: {error}; get it again or leave it out"
        raise DisentangleError(why) from error
    raise DisentangleError(f"{name} {problem}, or leave it out")


def _problem(image: Image.Image, size: Size | None) -> str | None:
    width, height = image.size
    if width * height > PIXELS:
        return f"has {width} x {height} pixels, more than {PIXELS:,}: make it smaller"
    if getattr(image, "is_animated", False):
        return "has several frames: save one of them as a file of its own"
    if image.mode not in MODES:
        return f"has mode {image.mode}: convert it to 8-bit RGB or grey"
    if image.format != "JPEG" and ";16" in str(getattr(image, "tile", "")):
        return "has 16 bits per channel: convert it to 8-bit RGB or grey"
    if size is not None and image.size != size:
        return f"has {width} x {height} pixels instead of {size[0]} x {size[1]}: resize it"
    return None


def _other(piece: Piece, shape: tuple[int, ...], first: tuple[int, ...]) -> DisentangleError:
    what = f"{piece} comes out at height, width, channels {shape}, those before at {first}"
    return DisentangleError(f"{what}: make all images alike, or leave it out")


@contextmanager
def _quiet() -> Iterator[None]:
    # Pillow's remarks on odd files are no news. Not warnings.catch_warnings, which puts back all
    # filters as they were, and so undoes what other threads have changed meanwhile.
    filters = cast(list[Any], warnings.filters)
    filters.insert(0, _FIRST)
    try:
        yield
    finally:
        with suppress(ValueError):
            filters.remove(_FIRST)
