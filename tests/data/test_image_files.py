"""Decoding in threads: the same pixels in the same order, and one error for each odd file."""

import io
import itertools
import struct
import threading
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from disentangle.data import image_files as module
from disentangle.data.archive import pieces
from disentangle.data.image_files import (
    BLOCK,
    centre_crop,
    decode,
    decoded,
    flat,
    header,
    resized,
    square,
)
from disentangle.errors import DisentangleError

COUNT = 5 * BLOCK + 3


def pixels(width, height, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)


def coloured(width=20, height=30, seed=0):
    return Image.fromarray(pixels(width, height, seed=seed))


def saved(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width, height, depth=8, colour=2, *chunks):
    """Return a PNG with any header at all."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)), *chunks]
    parts += [(b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def fit(image):
    return resized(square(flat(image, 3)), 8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Pieces of a folder of JPEG files, some of them grey, all different."""
    folder = tmp_path_factory.mktemp("photos")
    for i in range(COUNT):
        image = coloured(20, 30, seed=i)
        (image.convert("L") if i % 7 == 0 else image).save(folder / f"{i:04}.jpg")
    return pieces(folder, lambda name: True)


def running():
    return [t for t in threading.enumerate() if t.name.startswith("decode")]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_image_is_returned_as_it_is_stored(mode):
    image = coloured().convert(mode)
    found = decode(saved(image), "a.png")
    assert found.mode == mode
    assert found.tobytes() == image.tobytes()


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"])
def test_common_formats_are_read(kind):
    assert decode(saved(coloured(), kind), "a").size == (20, 30)


def frames(kind):
    return saved(
        coloured(), kind, save_all=True, append_images=[coloured(seed=1), coloured(seed=2)]
    )


ODD = {
    "text": (b"words " * 100, "is not a JPEG, PNG, BMP, GIF, PPM, TIFF or WEBP image; get"),
    "empty": (b"", r"is empty \(0 bytes\)"),
    "postscript": (saved(coloured(), "EPS"), "is not a JPEG"),
    "rare format": (saved(coloured(), "PCX"), "is not a JPEG"),
    "cut jpeg": (saved(coloured(), "JPEG")[:-200], "cannot be decoded.*truncated"),
    "cut png": (saved(coloured())[:-200], "cannot be decoded"),
    "short png": (png(1000, 1000), "cannot be decoded"),
    "jpeg in CMYK": (saved(coloured().convert("CMYK"), "JPEG"), "mode CMYK: convert it to 8-bit"),
    "tiff in LAB": (saved(Image.new("LAB", (4, 4)), "TIFF"), "mode LAB: convert it to 8-bit"),
    "tiff in F": (saved(Image.new("F", (4, 4)), "TIFF"), "mode F: convert it to 8-bit"),
    "tiff in I": (saved(Image.new("I", (4, 4)), "TIFF"), "mode I: convert it to 8-bit"),
    "grey of 16 bits": (png(20, 30, 16, 0), "mode I;16: convert it to 8-bit"),
    "colour of 16 bits": (png(20, 30, 16, 2), "16 bits per channel: convert it to 8-bit"),
    "alpha of 16 bits": (png(20, 30, 16, 6), "16 bits per channel: convert it to 8-bit"),
    "grey alpha of 16 bits": (png(20, 30, 16, 4), "16 bits per channel: convert it to 8-bit"),
    "animated gif": (frames("GIF"), "several frames"),
    "animated png": (frames("PNG"), "several frames"),
    "animated webp": (frames("WEBP"), "several frames"),
    "pages": (frames("TIFF"), "several frames"),
    "several jpegs": (frames("MPO"), "several frames"),
    "large png": (png(7100, 7100), "7100 x 7100 pixels, more than 50,000,000"),
    "larger png": (png(10_000, 10_000), "10000 x 10000 pixels, more than 50,000,000"),
    "bomb": (png(2**31 - 1, 2**31 - 1), "cannot be decoded.*pixels"),
    "wide bomb": (png(100_000_000, 1), "100000000 x 1 pixels, more than 50,000,000"),
}


@pytest.mark.parametrize("name", list(ODD))
def test_odd_file_is_refused_by_name(name):
    content, match = ODD[name]
    with pytest.raises(DisentangleError, match=rf"(?s)^'b/{name}' .*{match}.*remove it"):
        decode(content, f"b/{name}")


def test_odd_image_is_refused_before_it_is_loaded(monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("loaded"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("loaded"))
    for name in ("large png", "larger png", "jpeg in CMYK"):
        with pytest.raises(DisentangleError):
            decode(ODD[name][0], name)


def test_another_size_is_refused():
    content = saved(coloured(20, 30))
    assert decode(content, "a.png", (20, 30)).size == (20, 30)
    with pytest.raises(DisentangleError, match=r"'a\.png' has 20 x 30 pixels, expected 30 x 20"):
        decode(content, "a.png", (30, 20))


def test_remarks_of_pillow_do_not_escape():
    content = png(20, 30, 8, 2, (b"acTL", struct.pack(">II", 0, 0)))
    with pytest.warns(UserWarning, match="Invalid APNG"):
        Image.open(io.BytesIO(content))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        assert decode(content, "a.png").size == (20, 30)
        assert list(warnings.filters) == before


def test_header_is_read_without_the_pixels(tmp_path, monkeypatch):
    coloured().convert("L").save(tmp_path / "a.png")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("loaded"))
    (piece,) = pieces(tmp_path, lambda name: True)
    assert (header(piece).size, header(piece).mode) == ((20, 30), "L")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("channels", [1, 3])
def test_opaque_image_is_only_converted(mode, channels):
    image = coloured().convert(mode)
    expected = image.convert("L" if channels == 1 else "RGB")
    assert flat(image, channels).mode == expected.mode
    assert flat(image, channels).tobytes() == expected.tobytes()


def test_image_that_is_flat_is_not_copied():
    image = coloured()
    assert flat(image, 3) is image


def test_transparency_is_laid_on_white():
    image = Image.new("RGBA", (3, 1), (200, 0, 0, 255))
    image.putpixel((1, 0), (200, 0, 0, 0))
    image.putpixel((2, 0), (0, 100, 0, 102))
    assert np.asarray(flat(image, 3)).tolist() == [[[200, 0, 0], [255] * 3, [153, 193, 153]]]
    grey = Image.new("LA", (2, 1), (10, 255))
    grey.putpixel((1, 0), (10, 0))
    assert np.asarray(flat(grey, 1)).tolist() == [[10, 255]]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("channels", [1, 3])
def test_colour_that_stands_for_transparency_becomes_white(mode, channels):
    image = Image.new(mode, (2, 1))  # black
    keyed = decode(saved(image, transparency=(0, 0, 0) if mode == "RGB" else 0), "a.png")
    assert "transparency" in keyed.info
    assert np.asarray(flat(keyed, channels)).min() == 255


@pytest.mark.parametrize(("width", "height", "side"), [(178, 218, 148), (9, 6, 4), (5, 8, 5)])
def test_crop_is_central_and_rounded_down(width, height, side):
    image = coloured(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    expected = np.asarray(image)[top : top + side, left : left + side]
    assert (np.asarray(centre_crop(image, side)) == expected).all()


def test_crop_beyond_the_image_is_refused():
    with pytest.raises(DisentangleError, match="20 x 30 pixels are too few to crop 21 x 21"):
        centre_crop(coloured(20, 30), 21)


def test_square_has_the_shorter_side():
    assert square(coloured(9, 6)).size == (6, 6)
    assert (np.asarray(square(coloured(9, 6))) == np.asarray(coloured(9, 6))[:, 1:7]).all()


def test_image_of_the_right_size_is_not_resampled():
    image = coloured(8, 8)
    assert resized(image, 8) is image
    expected = image.resize((4, 4), Image.Resampling.LANCZOS)
    assert resized(image, 4).tobytes() == expected.tobytes()


def test_blocks_equal_a_plain_loop_in_its_order(photos):
    expected = []
    for piece in photos:
        image = Image.open(piece.path).convert("RGB").crop((0, 5, 20, 25))
        expected.append(np.asarray(image.resize((8, 8), Image.Resampling.LANCZOS)))
    blocks = list(decoded(photos, fit, size=(20, 30)))
    assert max(len(block) for block in blocks) <= BLOCK
    assert {block.dtype for block in blocks} == {np.dtype(np.uint8)}
    assert (np.concatenate(blocks) == np.stack(expected)).all()
    assert not running()


def test_grey_rows_have_one_channel(photos):
    (block,) = decoded(photos[:3], lambda image: resized(square(flat(image, 1)), 8))
    assert block.shape == (3, 8, 8, 1)


def test_sides_are_height_and_width(photos):
    (block,) = decoded(photos[1:2], lambda image: image)
    assert (block[0] == np.asarray(Image.open(photos[1].path))).all()


def test_no_files_give_no_blocks():
    assert list(decoded([], fit)) == []


def test_order_holds_when_the_first_images_take_longest(photos):
    slow = threading.local()

    def first_is_slow(image):
        if not getattr(slow, "done", False):
            slow.done = True
            time.sleep(0.05)
        return fit(image)

    rows = np.concatenate(list(decoded(photos, first_is_slow)))
    assert (rows == np.concatenate(list(decoded(photos, fit)))).all()


def test_progress_is_told_in_the_callers_thread(photos):
    told, threads = [], set()

    def progress(done, total):
        told.append((done, total))
        threads.add(threading.current_thread())

    sizes = [len(block) for block in decoded(photos, fit, progress=progress)]
    assert told == [(done, COUNT) for done in np.cumsum(sizes).tolist()]
    assert threads == {threading.main_thread()}


def test_images_are_decoded_in_several_threads(photos):
    """Two images at least wait for each other, which one thread alone could not do."""
    barrier = threading.Barrier(2, timeout=20)
    met = threading.Event()

    def meet(image):
        if not met.is_set():
            barrier.wait()
            met.set()
        return fit(image)

    assert sum(len(block) for block in decoded(photos[: 2 * BLOCK], meet)) == 2 * BLOCK


def test_few_blocks_are_decoded_ahead(photos, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 1)
    monkeypatch.setattr(module, "cores", lambda: 2)
    seen = []
    blocks = decoded(photos, lambda image: seen.append(1) or fit(image))
    next(blocks)
    time.sleep(0.2)
    assert 0 < len(seen) <= 6
    blocks.close()


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_error_in_a_thread_surfaces_and_stops_the_rest(photos, error):
    numbers = itertools.count()

    def failing(image):
        if next(numbers) == BLOCK // 2:
            raise error
        time.sleep(0.001)
        return fit(image)

    with pytest.raises(error):
        list(decoded(photos, failing))
    assert next(numbers) < COUNT / 2
    assert not running()


def test_error_in_a_later_block_does_not_wait_for_the_first(photos):
    seen = []

    def failing(image):
        seen.append(threading.current_thread())
        if seen[0] is not seen[-1]:
            raise ZeroDivisionError
        time.sleep(0.05)
        return fit(image)

    with pytest.raises(ZeroDivisionError):
        list(decoded(photos, failing))
    assert seen.count(seen[0]) < BLOCK / 2


@pytest.mark.parametrize("position", [0, BLOCK + 1, COUNT - 1])
def test_damaged_file_is_named(tmp_path, photos, position):
    (tmp_path / "bad.jpg").write_bytes(photos[position].read()[:-50])
    (bad,) = pieces(tmp_path, lambda name: True)
    with pytest.raises(DisentangleError, match=rf"'bad\.jpg' in {tmp_path} cannot be decoded"):
        list(decoded([*photos[:position], bad, *photos[position + 1 :]], fit))


@pytest.mark.parametrize("position", [1, BLOCK, BLOCK + 1])
def test_image_that_comes_out_at_another_size_is_named(tmp_path, photos, position):
    coloured(40, 40).save(tmp_path / "other.png")
    (other,) = pieces(tmp_path, lambda name: True)
    with pytest.raises(
        DisentangleError, match=r"'other\.png' in .*: expected height, width .*\(40, 40, 3\)"
    ):
        list(decoded([*photos[:position], other], lambda image: flat(image, 3)))


def test_image_that_cannot_be_cropped_is_named(photos):
    with pytest.raises(DisentangleError, match=r"'0000\.jpg' .*too few to crop 21 x 21"):
        list(decoded(photos[:1], lambda image: centre_crop(image, 21)))


def test_abandoned_blocks_stop_the_threads(photos, monkeypatch):
    monkeypatch.setattr(module, "cores", lambda: 2)
    before = list(warnings.filters)
    seen = []
    blocks = decoded(photos, lambda image: seen.append(1) or time.sleep(0.01) or fit(image))
    next(blocks)
    assert running()
    count = len(seen)
    blocks.close()
    assert len(seen) < count + BLOCK / 2
    assert not running()
    assert list(warnings.filters) == before


def test_interruption_stops_the_threads(photos):
    def interrupted(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(decoded(photos, fit, progress=interrupted))
    assert not running()
