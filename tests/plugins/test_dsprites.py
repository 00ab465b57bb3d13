"""dSprites against real images, published counts, and the ways in which files go wrong."""

import hashlib
import http.server
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from disentangle.data.download import Remote
from disentangle.data.location import About, Location
from disentangle.errors import DisentangleError
from disentangle_plugins.datasets import dsprites
from disentangle_plugins.datasets.dsprites import AXES, BLOCK, COUNT, DSprites

REAL = Path(__file__).parents[1] / "data" / "dsprites_real_12.npz"
FINGERPRINT = "3a228f4037ef3d42a42588e0e01f1078aa2df13cfa17584e88c95ed9fb5672da"
CLASSES = np.stack(np.unravel_index(np.arange(COUNT), tuple(AXES.values())), axis=1)


def at(folder: Path, **options: Any) -> Location:
    """Return the location that dSprites has in a data folder."""
    return Location(
        folder=folder / "dsprites", downloads=folder / "downloads", name="dsprites", **options
    )


@pytest.fixture(scope="module")
def data(dsprites_folder: Path) -> DSprites:
    return dsprites.open(at(dsprites_folder))


def open_npz(npz: Path, folder: Path) -> DSprites:
    return dsprites.open(at(folder, file=npz))


def header(**changes: Any) -> Callable[[Any], None]:
    fields = {"descr": "|u1", "fortran_order": False, "shape": (COUNT, 64, 64)} | changes
    return partial(np.lib.format.write_array_header_1_0, d=fields)


def write_npz(npz: Path, images: Iterator[bytes], **header_changes: Any) -> Path:
    """Write 'imgs' in the official layout, with no more content than is given."""
    with (
        zipfile.ZipFile(npz, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("imgs.npy", "w", force_zip64=True) as member,
    ):
        header(**header_changes)(member)
        for block in images:
            member.write(block)
    return npz


def add_array(npz: Path, name: str, array: np.ndarray) -> Path:
    with (
        zipfile.ZipFile(npz, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(f"{name}.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array(member, array, allow_pickle=True)
    return npz


def blocks(count: int) -> Iterator[bytes]:
    for block in list(np.ndindex(3, 6, 40))[:count]:
        yield np.unpackbits(dsprites.render(*block)).tobytes()


@pytest.fixture(scope="module")
def only_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("npz")
    yield write_npz(folder / "only_images.npz", blocks(720))
    shutil.rmtree(folder)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Return a folder whose prepared images, 377 MB, do not outlive the test."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.fixture
def copied(dsprites_folder: Path, place: Path) -> Path:
    """Return a data folder with prepared images that may be damaged."""
    shutil.copytree(dsprites_folder, place / "data")
    return place / "data"


def test_real_images_are_drawn_exactly(data: DSprites) -> None:
    with np.load(REAL, allow_pickle=False) as real:
        classes, images = real["latents_classes"], real["imgs"]
    drawn = data.images(data.index(classes))
    assert drawn.dtype == torch.uint8
    assert torch.equal(drawn, 255 * torch.from_numpy(images)[:, None])


def test_white_pixels_per_shape_are_the_published_ones(data: DSprites) -> None:
    white = np.zeros(3, np.int64)
    for start in range(0, COUNT, 4 * BLOCK):
        white[start * 3 // COUNT] += np.count_nonzero(data.images(np.arange(start, start + 4096)))
    assert white.tolist() == [53_612_886, 42_070_950, 32_645_028]
    assert white.sum() == 128_328_864


def test_unique_images_are_as_many_as_published(data: DSprites) -> None:
    digests = {hashlib.blake2b(image, digest_size=16).digest() for image in data.packed}
    assert len(digests) == 715_706


@pytest.mark.parametrize("shape", range(3))
@pytest.mark.parametrize("scale", range(6))
def test_a_full_turn_changes_nothing(shape: int, scale: int) -> None:
    turned = dsprites.render(shape, scale, 39)
    np.testing.assert_array_equal(dsprites.render(shape, scale, 0), turned)


def test_a_sprite_moves_right_and_down_and_grows(data: DSprites) -> None:
    def centre_and_size(*labels: int) -> tuple[float, float, int]:
        rows, columns = np.nonzero(data.images(data.index(labels))[0, 0].numpy())
        return float(columns.mean()), float(rows.mean()), len(rows)

    x, y, size = centre_and_size(0, 0, 2, 0, 8, 8)
    assert centre_and_size(0, 0, 2, 0, 20, 8)[0] == pytest.approx(x + 32 * 12 / 31, abs=0.6)
    assert centre_and_size(0, 0, 2, 0, 8, 20)[1] == pytest.approx(y + 32 * 12 / 31, abs=0.6)
    sizes = [centre_and_size(0, 0, scale, 0, 8, 8)[2] for scale in range(6)]
    assert sizes[2] == size
    assert all(a < b for a, b in pairwise(sizes))


def test_labels_and_index_are_inverse(data: DSprites) -> None:
    index = np.random.default_rng(0).integers(0, COUNT, 10_000)
    labels = data.every_label(index)
    np.testing.assert_array_equal(labels, CLASSES[index])
    np.testing.assert_array_equal(data.index(labels), index)


def test_it_describes_itself(data: DSprites) -> None:
    assert len(data) == COUNT
    assert data.image_shape == (1, 64, 64)
    assert data.likelihood == "bernoulli"
    assert data.source == "regenerated"
    assert data.fingerprint == FINGERPRINT
    assert list(data.factors) == ["shape", "scale", "orientation", "position_x", "position_y"]
    assert data.images([]).shape == (0, 1, 64, 64)


def test_prepared_images_are_reused_quickly(dsprites_folder: Path, data: DSprites) -> None:
    said: list[str] = []
    start = time.perf_counter()
    again = dsprites.open(at(dsprites_folder, say=said.append))
    assert time.perf_counter() - start < 3
    assert (again.fingerprint, said) == (data.fingerprint, [])


def images_in(folder: Path) -> Path:
    (path,) = folder.glob("images*.npy")
    return path


def flip_a_bit(folder: Path) -> None:
    with images_in(folder).open("rb+") as file:
        file.seek(200_000_000)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


def cut(folder: Path) -> None:
    with images_in(folder).open("rb+") as file:
        file.truncate(200_000_000)


def garble_the_header(folder: Path) -> None:
    with images_in(folder).open("rb+") as file:
        file.seek(12)
        file.write(b"((('''")


def garble_the_record(folder: Path) -> None:
    (folder / "prepared.json").write_bytes(b"\xff{")


@pytest.mark.slow
@pytest.mark.parametrize("damage", [flip_a_bit, cut, garble_the_header, garble_the_record])
def test_damage_is_noticed_and_repaired(copied: Path, damage: Callable[[Path], None]) -> None:
    damage(copied / "dsprites")
    said: list[str] = []
    data = dsprites.open(at(copied, say=said.append))
    assert "damaged" in said[0]
    assert data.fingerprint == FINGERPRINT


def nothing_but_a_lock(folder: Path) -> bool:
    return {path.name for path in folder.glob("dsprites/*")} <= {".lock"}


@pytest.mark.slow
def test_two_processes_prepare_once(place: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "from disentangle.data.location import Location\n"
        "from disentangle_plugins.datasets import dsprites\n"
        "said = []\n"
        "place = Location(folder=pathlib.Path(sys.argv[1]), say=said.append)\n"
        "data = dsprites.open(place)\n"
        "print(len(said), data.fingerprint)\n"
    )
    command = [sys.executable, "-c", code, str(place)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = sorted(process.communicate(timeout=120)[0].strip() for process in running)
    assert printed == [f"0 {FINGERPRINT}", f"1 {FINGERPRINT}"]


def test_an_interrupted_preparation_leaves_no_images(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*block: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dsprites, "render", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dsprites.open(at(place))
    assert nothing_but_a_lock(place)


def test_a_full_disk_is_explained(place: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**21, limits[1]))
    try:
        with pytest.raises(DisentangleError, match="free some space") as caught:
            dsprites.open(at(place))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(place) in str(caught.value)
    assert nothing_but_a_lock(place)


def test_an_unwritable_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DisentangleError, match="choose another data folder") as caught:
        dsprites.open(at(tmp_path / "file" / "data"))
    assert str(tmp_path / "file" / "data") in str(caught.value)


class Bomb:
    """Unpickles by creating a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.slow
def test_a_users_npz_replaces_drawn_images(only_images: Path, copied: Path, place: Path) -> None:
    npz = shutil.copy(only_images, place / "official.npz")
    values = np.stack([dsprites.VALUES[k][CLASSES[:, k]] for k in range(6)], axis=1)
    add_array(npz, "latents_values", values * (1 + 1e-15))
    exploded = place / "exploded"
    add_array(npz, "metadata", np.array(Bomb(exploded), dtype=object))

    data = open_npz(npz, copied)
    source = "official.npz, not the published file"  # by its checksum; its images are the same
    assert (data.source, data.fingerprint) == (source, FINGERPRINT)
    assert not exploded.exists()
    with np.load(npz, allow_pickle=True) as archive:
        archive["metadata"]
    assert exploded.exists()  # so it was a real threat

    said: list[str] = []
    again = dsprites.open(at(copied, file=npz, say=said.append))
    assert (again.source, said) == (source, [])
    assert dsprites.open(at(copied)).source == source


def truncated_file(npz: Path) -> None:
    write_npz(npz, blocks(2))
    npz.write_bytes(npz.read_bytes()[:-1000])


def damaged_file(npz: Path) -> None:
    write_npz(npz, blocks(2))
    content = bytearray(npz.read_bytes())
    content[3000:3100] = bytes(100)
    npz.write_bytes(content)


def garbled_header(npz: Path) -> None:
    with zipfile.ZipFile(npz, "w") as archive:
        archive.writestr("imgs.npy", b"\x93NUMPY\x01\x00\x08\x00((('''  \n")


def shuffled_latents(name: str, latents: np.ndarray, npz: Path) -> None:
    write_npz(npz, blocks(1))
    add_array(npz, name, latents)


def first_block(fill: int, npz: Path) -> None:
    write_npz(npz, iter([bytes([fill]) * BLOCK * 4096]))


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda npz: None, "no such file"),
    "folder": (Path.mkdir, "directory"),
    "empty": (Path.touch, "it is an empty file"),
    "text": (lambda npz: npz.write_bytes(b"<html>404</html>"), "a web page"),
    "truncated": (truncated_file, "damaged or truncated"),
    "damaged": (damaged_file, "."),
    "foreign npz": (lambda npz: np.savez(npz, images=np.zeros(3)), "has no array 'imgs'"),
    "object array": (lambda npz: np.savez(npz, imgs=np.array(Bomb(npz))), "object"),
    "few images": (lambda npz: np.savez(npz, imgs=np.zeros((9, 64, 64), np.uint8)), r"\(9, 64"),
    "float images": (lambda npz: write_npz(npz, blocks(1), descr="<f8"), "float64"),
    "Fortran order": (lambda npz: write_npz(npz, blocks(1), fortran_order=True), "Fortran order"),
    "garbled header": (garbled_header, "."),
    "short images": (lambda npz: write_npz(npz, blocks(3)), "ends too early"),
    "0 to 255": (partial(first_block, 255), "values up to 255"),
    "black images": (partial(first_block, 0), "the images in 'imgs', or their order, differ"),
    "other order": (
        lambda npz: write_npz(npz, reversed(list(blocks(2)))),
        "or their order, differ",
    ),
    "other classes": (partial(shuffled_latents, "latents_classes", CLASSES[::-1]), "order"),
    "other values": (partial(shuffled_latents, "latents_values", 1.0 * CLASSES), "order"),
    "few latents": (partial(shuffled_latents, "latents_classes", CLASSES[:5]), "shape"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_is_refused(tmp_path: Path, wrong: str) -> None:
    make, reason = WRONG[wrong]
    npz = tmp_path / "wrong.npz"
    make(npz)
    with pytest.raises(DisentangleError, match=reason) as caught:
        open_npz(npz, tmp_path / "data")
    message = str(caught.value)
    assert str(npz) in message
    assert wrong == "missing" or dsprites.URL in message
    assert "\n" not in message
    assert nothing_but_a_lock(tmp_path / "data")


def test_right_classes_are_accepted(tmp_path: Path) -> None:
    npz = write_npz(tmp_path / "classes.npz", blocks(1))
    add_array(npz, "latents_classes", CLASSES)
    with pytest.raises(DisentangleError, match="ends too early"):  # so the classes went through
        open_npz(npz, tmp_path / "data")


@pytest.fixture
def served(only_images: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the folder of `only_images` in place of the official address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(only_images.parent))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    url = f"http://127.0.0.1:{server.server_port}/{only_images.name}"
    publish(monkeypatch, url, "md5:" + "0" * 32)
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def publish(monkeypatch: pytest.MonkeyPatch, url: str, checksum: str) -> None:
    remote = Remote(name=dsprites.NPZ, urls=(url,), checksum=checksum)
    monkeypatch.setattr(dsprites, "ABOUT", About(images=COUNT, files=(remote,), drawn=True))


@pytest.mark.slow
def test_a_download_is_used(
    served: str, only_images: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    md5 = hashlib.md5(only_images.read_bytes(), usedforsecurity=False).hexdigest()
    publish(monkeypatch, served, f"md5:{md5}")
    data = dsprites.open(at(place, download=True))
    assert (data.source, data.fingerprint) == ("official", FINGERPRINT)
    (place / "dsprites" / "prepared.json").unlink()
    said: list[str] = []
    monkeypatch.setattr(dsprites, "_read", lambda npz: map(dsprites.render, []))
    with pytest.raises(DisentangleError):
        dsprites.open(at(place, say=said.append))
    assert dsprites.NPZ in said[0]


@pytest.mark.slow
def test_another_download_is_refused(served: str, tmp_path: Path) -> None:
    with pytest.raises(DisentangleError, match="hash") as caught:
        dsprites.open(at(tmp_path, download=True))
    assert served in str(caught.value)
    assert "--file FILE" in str(caught.value)


def test_a_download_goes_before_images_that_were_drawn(
    dsprites_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    publish(monkeypatch, "http://127.0.0.1:9/dsprites.npz", "md5:" + "0" * 32)
    with pytest.raises(DisentangleError, match="cannot download"):
        dsprites.open(at(dsprites_folder, download=True))
    assert dsprites.open(at(dsprites_folder)).source == "regenerated"


def test_no_network_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    publish(monkeypatch, "http://127.0.0.1:9/dsprites.npz", "md5:" + "0" * 32)
    with pytest.raises(DisentangleError, match=r"http://127\.0\.0\.1:9/") as caught:
        dsprites.open(at(tmp_path, download=True))
    assert "--file FILE" in str(caught.value)
    assert "\n" not in str(caught.value)
