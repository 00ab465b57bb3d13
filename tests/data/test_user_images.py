"""Images of the user's own: folders and archives of image files, npz, and what is wrong in them."""

import json
import os
import re
import shutil
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

import disentangle
from disentangle.contracts.dataset import Dataset, Grid, Labelled
from disentangle.data.loading import load_dataset
from disentangle.data.status import unregistered_states
from disentangle.errors import DisentangleError, InputWarning, UsageError
from disentangle.scoring.request import ScoringRequest
from disentangle.scoring.score_runs import score_run

ORIENTATION, RESOLUTION_UNIT = 0x112, 0x128


def picture(width=48, height=40, mode="RGB", seed=0):
    """Return an image of noise in squares, so that turning, cropping and resizing all show."""
    rng = np.random.default_rng(seed)
    squares = rng.integers(0, 256, (8, 8, 4), np.uint8)
    image = Image.fromarray(squares).resize((width, height), Image.Resampling.NEAREST)
    if mode == "P":
        image = image.convert("RGB").quantize(16)
        image.info["transparency"] = 3
        return image
    return image.convert(mode)


def as_pillow_does_it(image, side, mode):
    """Return [H, W] or [H, W, 3]: upright, on white, its middle square, resized."""
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        white.alpha_composite(image.convert("RGBA"))
        image = white
    image = image.convert(mode)
    (width, height), least = image.size, min(image.size)
    left, top = (width - least) // 2, (height - least) // 2
    image = image.crop((left, top, left + least, top + least))
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def rows(dataset):
    """Return all images, [N, H, W] or [N, H, W, 3]."""
    images = dataset.images(np.arange(len(dataset))).permute(0, 2, 3, 1).numpy()
    return images[..., 0] if images.shape[-1] == 1 else images


@pytest.fixture
def load(tmp_path):
    """A function that opens a path, with a data folder of the test's own."""

    def load(path, **options):
        return load_dataset(str(path), data_dir=tmp_path / "data", **options)

    return load


@pytest.fixture
def photos(tmp_path):
    """A folder of six images in two sizes."""
    folder = tmp_path / "photos"
    for i in range(6):
        save(folder / f"{i}.png", picture(40 + 8 * (i % 2), 40, seed=i))
    return folder


def left_behind(folder):
    found = {path.name for path in (folder / "data").rglob("*") if path.is_file()} - {".lock"}
    return {re.sub(r"-[0-9a-f]{8}\.npy$", ".npy", name) for name in found}


# Folders and archives of image files


def test_images_come_sorted_by_path(load, tmp_path):
    greys = {"b.png": 20, "a/z.png": 10, "a/c.jpg": 0, "c/deep/er/1.bmp": 30, "d.TIF": 40}
    for name, grey in greys.items():
        save(tmp_path / "photos" / name, Image.new("L", (20, 20), grey))
    (tmp_path / "photos" / ".hidden.png").write_text("no image")
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    data = load(tmp_path / "photos")
    assert rows(data)[:, 0, 0].tolist() == [0, 10, 20, 30, 40]


def test_folder_is_images_and_no_more(load, photos):
    data = load(photos)
    assert isinstance(data, Dataset)
    assert not isinstance(data, Labelled)
    assert (data.name, data.source) == ("./photos", "6 image files")
    assert len(data) == 6


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_that_pillow_makes(load, tmp_path, mode, channels):
    paths = [
        save(tmp_path / "photos" / f"{i}.png", picture(*size, mode, seed=i))
        for i, size in enumerate([(48, 40), (41, 90), (64, 64), (7, 5)])
    ]
    data = load(tmp_path / "photos", channels=channels)
    for ours, path in zip(rows(data), paths, strict=True):
        theirs = as_pillow_does_it(Image.open(path), 64, {1: "L", 3: "RGB"}[channels])
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_photo_is_turned_as_the_camera_was_held(load, tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = save(tmp_path / "photos" / f"1.{suffix}", picture(mode="L"), exif=exif)
    theirs = as_pillow_does_it(Image.open(path), 64, "L")
    np.testing.assert_array_equal(rows(load(tmp_path / "photos"))[0], theirs)


def test_photo_whose_exif_data_are_odd_is_turned_too(load, tmp_path):
    entries = [(ORIENTATION, 3, 1, 6), (RESOLUTION_UNIT, 7, 1, 65)]  # a unit that is no number
    exif = struct.pack("<H", 2) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + exif + bytes(4)
    path = save(tmp_path / "photos" / "1.jpg", picture(64, 64, "L"), exif=exif)
    with Image.open(path) as image:
        assert image.getexif()[ORIENTATION] == 6
        turned = np.rot90(np.asarray(image), -1)
    np.testing.assert_array_equal(rows(load(tmp_path / "photos"))[0], turned)


@pytest.mark.parametrize(
    ("sizes", "side"),
    [
        ([(32, 32)] * 2, 32),
        ([(64, 64)] * 2, 64),
        ([(128, 128)] * 2, 128),
        ([(100, 100)] * 2, 64),
        ([(64, 32)] * 2, 64),
        ([(32, 32), (64, 64)], 64),
        ([(128, 128), (128, 127)], 64),
    ],
)
def test_side_is_kept_if_all_have_one_that_networks_take(load, tmp_path, sizes, side):
    for i, size in enumerate(sizes):
        save(tmp_path / "photos" / f"{i}.png", picture(*size, seed=i))
    assert load(tmp_path / "photos").image_shape == (3, side, side)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([(32, 32)] * 2, "32 x 32, RGB"),
        ([(100, 100)] * 2, "64 x 64, RGB, resized (from 100 x 100)"),
        (
            [(80, 60), (90, 90), (80, 60)],
            "64 x 64, RGB, cropped to the central square and resized (from 2 sizes, most often "
            "80 x 60)",
        ),
    ],
)
def test_what_is_done_to_images_is_said(load, tmp_path, sizes, words):
    said = []
    for i, size in enumerate(sizes):
        save(tmp_path / "photos" / f"{i}.png", picture(*size, seed=i))
    (tmp_path / "photos" / "notes.txt").touch()
    load(tmp_path / "photos", say=said.append)
    assert said[0].endswith("photos: 1 file is left out: .txt (1)")
    assert said[-1].endswith(f"preparing {len(sizes)} images, {words}")


@pytest.mark.parametrize(
    ("images", "remedy"),
    [
        (np.zeros((6, 32, 32)), "float64; store uint8, .*`(255 * images)"),
        (np.zeros((6, 32, 32), bool), "bool; .*`255 * images"),
        (np.zeros((6, 32, 32), int), "int64; .*`images.astype(np.uint8)`"),
        (np.zeros((6, 32, 32), np.uint16), "uint16; .*`(images // 257)"),
        (np.zeros((6, 3, 32, 32), np.uint8), "`images.transpose(0, 2, 3, 1)` of [N, C, H, W]"),
        (np.zeros((6, 32, 32, 4), np.uint8), "`images[..., :3]` of RGBA"),
    ],
)
def test_arrays_of_another_type_or_order_are_refused_with_a_remedy(npz, images, remedy):
    pattern = re.escape(remedy).replace(r"\.\*", ".*")
    with pytest.raises(DisentangleError, match=pattern):
        npz(images=images)


def test_array_that_may_hold_images_along_its_last_axis_is_warned_of(npz):
    with pytest.warns(InputWarning, match=r"taken as 32 images of 32 x 6 .* \[H, W, N\]"):
        npz(images=noise(32, 32, 6))


def test_what_is_done_to_arrays_is_said(load, tmp_path):
    said = []
    np.savez(tmp_path / "own.npz", images=noise(9, 48, 80))
    load(tmp_path / "own.npz", say=said.append)
    words = "64 x 64, cropped to the central square and resized (from 80 x 48)"
    assert said == [f"{tmp_path / 'own.npz'}: 9 images, {words}"]


@pytest.mark.parametrize(
    ("modes", "channels"),
    [(["L", "1", "LA"], 1), (["L", "RGB"], 3), (["P"], 3), (["RGBA", "LA"], 3)],
)
def test_images_are_grey_if_all_files_are(load, tmp_path, modes, channels):
    for mode in modes:
        save(tmp_path / "photos" / f"{mode}.png", picture(mode=mode))
    assert load(tmp_path / "photos").image_shape == (channels, 64, 64)


def test_options_go_before_the_rule_and_are_kept_apart(load, photos):
    small = load(photos, image_size=16, channels=1)
    assert small.image_shape == (1, 16, 16)
    assert load(photos).image_shape == (3, 64, 64)
    said = []
    assert load(photos, image_size=16, channels=1, say=said.append).fingerprint == small.fingerprint
    assert said == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 4}, "expected --image-size from 8 to 1024 pixels, got 4"),
        ({"image_size": 4096}, "expected --image-size from 8 to 1024 pixels, got 4096"),
        ({"channels": 2}, r"expected --channels 1 \(grey\) or 3 \(RGB\), got 2"),
    ],
)
def test_options_that_make_no_sense_are_refused(load, photos, options, message):
    with pytest.raises(UsageError, match=message):
        load(photos, **options)


@pytest.mark.parametrize("option", [{"image_size": 32}, {"channels": 1}])
def test_registered_dataset_takes_no_size_and_no_channels(tmp_path, option):
    with pytest.raises(UsageError, match="'dsprites' has images of fixed size"):
        load_dataset("dsprites", data_dir=tmp_path, **option)


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tar.xz"])
def test_archive_is_as_good_as_its_folder(load, photos, tmp_path, monkeypatch, suffix):
    path = tmp_path / f"photos.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(photos.iterdir(), reverse=True):
                archive.write(file, f"photos/{file.name}")
    else:
        with tarfile.open(path, f"w:{suffix[4:]}") as archive:
            archive.add(photos, "photos")
    monkeypatch.chdir(tmp_path)
    said = []
    data = load(f"./photos.{suffix}", say=said.append)
    assert data.fingerprint == load(photos).fingerprint
    assert data.name == f"./photos.{suffix}"
    assert all(str(path) in line for line in said)
    assert left_behind(tmp_path) == {"images.npy", "prepared.json"}


def test_folder_is_prepared_once(load, photos):
    first, said = load(photos), []
    again = load(photos, say=said.append)
    assert said == []
    assert again.fingerprint == first.fingerprint


def test_another_file_in_the_folder_makes_it_anew(load, photos):
    first = load(photos)
    save(photos / "deep" / "er.png", picture(seed=9))
    second = load(photos)
    assert len(second) == 7
    assert second.fingerprint != first.fingerprint
    shutil.rmtree(photos / "deep")
    assert load(photos).fingerprint == first.fingerprint


def test_folders_of_one_name_do_not_clash(load, photos, tmp_path):
    first = load(photos).fingerprint
    other = save(tmp_path / "other" / "photos" / "1.png", picture(seed=7)).parent
    second = load(other)
    assert second.name == "./photos"
    assert second.fingerprint != first
    said = []
    assert load(photos, say=said.append).fingerprint == first
    assert said == []


def test_order_of_the_folder_does_not_matter(load, photos, tmp_path):
    (tmp_path / "copy").mkdir()
    for path in sorted(photos.iterdir(), reverse=True):
        shutil.copy(path, tmp_path / "copy")
    assert load(tmp_path / "copy").fingerprint == load(photos).fingerprint


def no_image(folder):
    (folder / "3.png").write_bytes(b"<html>404</html>")


def cut(folder):
    (folder / "3.png").write_bytes((folder / "2.png").read_bytes()[:-40])


def sixteen_bits(folder):
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(folder / "3.png")


def cmyk(folder):
    picture().convert("CMYK").save(folder / "3.jpg")


def frames(folder):
    picture(seed=1).save(folder / "3.gif", save_all=True, append_images=[picture(seed=2)])


@pytest.mark.parametrize("spoil", [no_image, cut, sixteen_bits, cmyk, frames])
@pytest.mark.parametrize("options", [{}, {"image_size": 32, "channels": 3}], ids=["rule", "given"])
def test_file_that_is_no_plain_image_is_named(load, photos, tmp_path, spoil, options):
    spoil(photos)
    with pytest.raises(DisentangleError, match=r"'3\.\w\w\w'") as caught:
        load(photos, **options)
    assert "\n" not in str(caught.value)
    assert left_behind(tmp_path) == set()


def test_empty_image_file_is_named(load, photos):
    (photos / "3.png").write_bytes(b"")
    with pytest.raises(DisentangleError, match=r"'3.png' in .*photos is empty \(0 bytes\)"):
        load(photos)


@pytest.mark.parametrize(
    ("content", "words"), [(b"Rar!\x1a\7" + bytes(99), "rar archive"), (b"\x93NUMPY", "n npy file")]
)
def test_file_of_another_kind_is_described(load, tmp_path, content, words):
    (tmp_path / "images.x").write_bytes(content)
    with pytest.raises(DisentangleError, match=f"cannot read .*images.x: it is a.*{words}"):
        load(tmp_path / "images.x")


def test_empty_folder_is_refused(load, tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(DisentangleError, match=r"photos: no images found; expected \.bmp, "):
        load(tmp_path / "photos")


def test_path_that_is_not_there_is_named(load):
    with pytest.raises(DisentangleError, match="/nowhere/photos: no such file or folder"):
        load("/nowhere/photos")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\3\4 and no more", b"\x1f\x8b and no more"])
def test_file_that_is_no_archive_is_refused(load, tmp_path, content):
    (tmp_path / "photos.zip").write_bytes(content)
    with pytest.raises(DisentangleError, match=r"photos\.zip") as caught:
        load(tmp_path / "photos.zip")
    assert "\n" not in str(caught.value)
    assert left_behind(tmp_path) == set()


def test_pipe_is_refused_and_not_opened(load, tmp_path):
    os.mkfifo(tmp_path / "photos")
    with pytest.raises(DisentangleError, match="photos is neither a regular file nor a folder"):
        load(tmp_path / "photos")


def test_image_in_a_compressed_archive_is_named_as_the_user_knows_it(load, photos, tmp_path):
    no_image(photos)
    with tarfile.open(tmp_path / "photos.tar.gz", "w:gz") as archive:
        archive.add(photos, "photos")
    with pytest.raises(DisentangleError) as caught:
        load(tmp_path / "photos.tar.gz")
    assert str(caught.value).startswith(
        f"'photos/3.png' in {tmp_path}/photos.tar.gz is not a JPEG, PNG, BMP, GIF"
    )


def test_compressed_archive_without_images_is_named_as_the_user_knows_it(load, tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with tarfile.open(tmp_path / "notes.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "notes.txt", "notes.txt")
    with pytest.raises(DisentangleError, match=r"notes\.tar\.gz: no images found"):
        load(tmp_path / "notes.tar.gz")


# Arrays in npz files


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.fixture
def npz(tmp_path, load):
    """A function that writes these arrays to an npz and opens it."""

    def npz(options=(), **arrays):
        np.savez_compressed(tmp_path / "own.npz", **arrays)
        return load(tmp_path / "own.npz", **dict(options))

    return npz


@pytest.mark.parametrize("shape", [(9, 64, 64), (9, 64, 64, 1), (9, 32, 32, 3), (9, 128, 128)])
def test_arrays_of_a_side_that_networks_take_are_kept_as_they_are(npz, shape):
    images = noise(*shape)
    data = npz(images=images)
    assert not isinstance(data, Labelled)
    assert data.image_shape == ((*shape, 1)[3], *shape[1:3])
    np.testing.assert_array_equal(rows(data), images.reshape(rows(data).shape))
    assert data.source == "own.npz"


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("options", [{}, {"channels": 1}, {"channels": 3}, {"image_size": 16}])
def test_other_arrays_are_made_as_pillow_makes_them(npz, depth, options):
    images = noise(5, 30, 41, depth)
    data = npz(options, images=images)
    mode = {1: "L", 3: "RGB"}[options.get("channels", depth)]
    for ours, image in zip(rows(data), images, strict=True):
        image = Image.fromarray(image[:, :, 0] if depth == 1 else image)
        theirs = as_pillow_does_it(image, options.get("image_size", 64), mode)
        np.testing.assert_array_equal(ours, theirs)


def test_fortran_and_sliced_arrays_that_numpy_stores_in_order_are_taken(npz):
    images = noise(8, 128, 128)[::2, ::2, ::2]
    np.testing.assert_array_equal(rows(npz(images=images)), images)


def every(*sizes):
    """Return every combination, [N, K], in row-major order."""
    return np.stack([axis.ravel() for axis in np.indices(sizes)], 1)


@pytest.mark.parametrize("block", [1, 5 * 32 * 32, 2**30])
def test_full_grid_in_any_order_becomes_a_grid_in_row_major_order(npz, monkeypatch, block):
    monkeypatch.setattr("disentangle.data.user_images.BLOCK", block)
    images, labels = noise(24, 32, 32), every(2, 3, 4)
    shuffled = np.random.default_rng(0).permutation(24)
    data = npz(images=images[shuffled], factors=labels[shuffled], names=["a", "b", "c"])
    assert isinstance(data, Grid)
    assert data.factors == {"a": 2, "b": 3, "c": 4}
    np.testing.assert_array_equal(rows(data), images)
    np.testing.assert_array_equal(data.every_label(np.arange(24)), labels)


def test_grid_in_order_is_a_grid(npz):
    images = noise(6, 32, 32, 3)
    data = npz(images=images, factors=every(2, 3))
    assert isinstance(data, Grid)
    assert data.factors == {"factor0": 2, "factor1": 3}
    np.testing.assert_array_equal(rows(data), images)


def test_incomplete_grid_is_labelled(npz):
    images, labels = noise(5, 32, 32), every(2, 3)[[5, 0, 2, 1, 3]]
    data = npz(images=images, factors=labels, names=["a", "b"])
    assert isinstance(data, Labelled)
    assert not isinstance(data, Grid)
    np.testing.assert_array_equal(rows(data), images)
    np.testing.assert_array_equal(data.every_label(np.arange(5)), labels)


def test_combination_that_is_there_twice_is_labelled(npz):
    data = npz(images=noise(6, 32, 32), factors=[*every(2, 3)[:5], [0, 0]])
    assert isinstance(data, Labelled)
    assert not isinstance(data, Grid)


@pytest.mark.parametrize(
    ("column", "values", "labels"),
    [
        ([10, -2, 9, -2], ["-2", "9", "10"], [2, 0, 1, 0]),
        ([0.5, 10.0, -1.5, 0.5], ["-1.5", "0.5", "10.0"], [1, 2, 0, 1]),
        (["red", "blue", "red", "grün"], ["blue", "grün", "red"], [2, 0, 2, 1]),
        ([b"red", b"blue", b"red", b"red"], ["blue", "red"], [1, 0, 1, 1]),
        ([True, False, False, True], ["False", "True"], [1, 0, 0, 1]),
        (np.array([3, 1, 1, 2], ">u2"), ["1", "2", "3"], [2, 0, 0, 1]),
    ],
    ids=["ints", "floats", "strings", "bytes", "bools", "big-endian"],
)
def test_values_of_factors_are_named_and_ordered(npz, column, values, labels):
    data = npz(images=noise(4, 32, 32), factors=column, names="f")
    assert list(data.values["f"]) == values
    assert data.every_label(np.arange(4))[:, 0].tolist() == labels


def test_numbers_beside_words_keep_their_order_and_distances(npz):
    words = [["small", "1"], ["large", "32"], ["small", "4"], ["large", "16"]]
    data = npz(images=noise(4, 32, 32), factors=words, names=["size", "x"])
    assert list(data.values["x"]) == ["1", "4", "16", "32"]
    assert data.numbers == {"x": (1.0, 4.0, 16.0, 32.0)}
    view = data.view(hold_out=["size=small"], split="train")
    assert view.numbers == data.numbers


def test_grid_and_its_parts_have_the_numbers_behind_their_labels(npz):
    grid = every(2, 4)
    grid[:, 1] = 2 ** grid[:, 1]
    data = npz(images=noise(8, 32, 32), factors=grid, names=["a", "x"])
    assert isinstance(data, Grid)
    assert data.numbers == {"x": (1.0, 2.0, 4.0, 8.0)}
    part = data.view(hold_out=["x=1"], split="train")
    assert isinstance(part, Grid)
    assert part.numbers == {"x": [2.0, 4.0, 8.0]}


def test_uneven_steps_change_the_fingerprint_and_even_ones_keep_that_of_0_1(npz):
    images = (np.arange(8 * 32 * 32) % 251).astype(np.uint8).reshape(8, 32, 32)
    prints = [
        npz(images=images, factors=np.repeat(values, 2), names=["x"]).fingerprint
        for values in ([0, 1, 2, 3], [0, 1, 2, 5], [0, 1, 2, 6])
    ]
    assert prints[0] == "04e26def32655b998041e49df39f4b90ef6cd4d61436ab05af805c74d85d11bb"
    assert len(set(prints)) == 3


def test_order_of_words_is_said(npz, tmp_path):
    said = []
    words = {"factors": ["red", "green", "blue"], "names": ["hue"]}
    npz({"say": said.append}, images=noise(3, 32, 32), **words)
    assert any("ordered alphabetically (hue: blue, green, red)" in line for line in said)


def test_continuous_factor_keeps_its_numbers(npz):
    angle = np.linspace(0, 360, 60)[::-1]
    data = npz(images=noise(60, 32, 32), factors=angle, names=["angle"])
    assert (data.strength, data.real_factors) == ("labelled", ("angle",))
    np.testing.assert_array_equal(data.numbers["angle"], angle[::-1])
    np.testing.assert_array_equal(data.labels(np.arange(60))[:, 0], np.arange(60)[::-1])


def test_words_with_few_images_per_value_are_refused(npz):
    names = np.array([f"cat {i}" for i in range(60)])
    message = r"own\.npz .*'factors': column 0 \('name'\) has too few rows per value"
    with pytest.raises(DisentangleError, match=message):
        npz(images=noise(60, 32, 32), factors=names, names=["name"])


def test_kinds_of_factors_are_those_that_the_file_says(npz):
    factors = np.stack([np.arange(60) % 4 * 90, np.arange(60) // 2], 1)
    names = {"names": ["angle", "identity"], "kinds": ["cyclic=360", "categorical"]}
    data = npz(images=noise(60, 32, 32), factors=factors, **names)
    assert (data.kinds, data.real_factors) == ({"angle": "cyclic=360"}, ())
    assert data.factors == {"angle": 4, "identity": 30}


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (["ordinal"], "expected 2 'kinds', one per factor"),
        (["ordinl", ""], r"kinds: 'a': expected a kind of factor.*did you mean 'ordinal'"),
    ],
)
def test_kinds_that_do_not_fit_are_refused(npz, kinds, message):
    about = {"factors": every(2, 2), "names": ["a", "b"], "kinds": kinds}
    with pytest.raises(DisentangleError, match=message):
        npz(images=noise(4, 32, 32), **about)


def test_factors_may_be_in_fortran_order(npz):
    factors = np.asfortranarray(every(4, 2)[:5])
    data = npz(images=noise(5, 32, 32), factors=factors)
    np.testing.assert_array_equal(data.every_label(np.arange(5)), factors)


def test_names_may_be_bytes(npz):
    data = npz(images=noise(4, 32, 32), factors=every(2, 2), names=np.array([b"hue", b"size"]))
    assert list(data.factors) == ["hue", "size"]


def test_images_of_a_value_are_held_out_by_its_name(npz):
    images = noise(4, 32, 32)
    data = npz(images=images, factors=["red", "blue", "red", "green"], names=["hue"])
    test = data.view(hold_out=["hue=red"], split="test")
    np.testing.assert_array_equal(rows(test), images[[0, 2]])


def test_other_factors_are_another_fingerprint(npz):
    images = noise(4, 32, 32)
    prints = {
        npz(images=images, **factors).fingerprint
        for factors in ({}, {"factors": [0, 1, 1, 0]}, {"factors": [0, 1, 0, 0]})
    }
    assert len(prints) == 3


class Bomb:
    """Unpickles by creating a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("key", ["images", "factors", "names"])
def test_nothing_is_ever_unpickled(npz, tmp_path, key):
    exploded = tmp_path / "exploded"
    arrays = {"images": noise(2, 32, 32), "factors": [0, 1], "names": ["a"]}
    with pytest.raises(DisentangleError, match=f"'{key}' holds Python objects"):
        npz(**{**arrays, key: np.array([Bomb(exploded), None], object)})
    assert not exploded.exists()
    with np.load(tmp_path / "own.npz", allow_pickle=True) as archive:
        archive[key]
    assert exploded.exists()  # so it was a real threat


def test_text_and_numbers_stored_as_objects_are_read(npz):
    table = np.array([["red", 2, np.float32(1.5)], ["blue", 10, np.int64(2)]], dtype=object)
    names = np.array(["hue", "x", np.str_("size")], dtype=object)  # as of a data frame
    data = npz(images=noise(2, 32, 32), factors=table, names=names)
    assert data.values == {"hue": ("blue", "red"), "x": ("2", "10"), "size": ("1.5", "2.0")}
    transposed = npz(images=noise(2, 32, 32), factors=np.asfortranarray(table), names=names)
    assert transposed.every_label([0, 1]).tolist() == data.every_label([0, 1]).tolist()


IMAGES = noise(4, 32, 32)
WRONG = {
    "no images": ({"imgs": IMAGES}, "expected an array 'images', got imgs"),
    "floats": ({"images": IMAGES / 255}, "'images' is float64; store uint8, 0 to 255"),
    "wide integers": ({"images": IMAGES.astype(int)}, "'images' is int64; store uint8"),
    "one image": ({"images": IMAGES[0]}, r"'images' has shape \(32, 32\); store \[N, H, W\]"),
    "four channels": ({"images": noise(2, 32, 32, 4)}, r"\(2, 32, 32, 4\); store"),
    "channels first": ({"images": noise(2, 3, 32, 32)}, r"\(2, 3, 32, 32\); store"),
    "none": ({"images": IMAGES[:0]}, "it holds no images"),
    "Fortran order": ({"images": np.asfortranarray(IMAGES)}, "'images' is in Fortran order"),
    "structure": ({"images": IMAGES.view("u1,u1")}, "store uint8"),
    "NaN": (
        {"images": IMAGES, "factors": [0, 1, np.nan, 2]},
        "expected finite numbers or text, got (nan|inf) in row 2",
    ),
    "infinity": (
        {"images": IMAGES, "factors": [0, 1, np.inf, 2]},
        "expected finite numbers or text, got (nan|inf) in row 2",
    ),
    "complex": (
        {"images": IMAGES, "factors": [0, 1j, 1, 2]},
        "expected finite numbers or text, got complex",
    ),
    "few factors": (
        {"images": IMAGES, "factors": [0, 1, 2]},
        r"'factors' of shape \[4, K\], got \(3, 1\)",
    ),
    "transposed": (
        {"images": IMAGES, "factors": every(4, 1).T.copy()},
        r"'factors' of shape \[4, K\], got \(2, 4\)",
    ),
    "no factor": ({"images": IMAGES, "factors": np.zeros((4, 0))}, r"got \(4, 0\)"),
    "a number": ({"images": IMAGES, "factors": 3}, r"'factors' of shape \[4, K\], got \(\)"),
    "deep": ({"images": IMAGES, "factors": np.zeros((4, 2, 2))}, r"got \(4, 2, 2\)"),
    "few names": (
        {"images": IMAGES, "factors": every(2, 2), "names": ["a"]},
        "2 different 'names'",
    ),
    "equal names": (
        {"images": IMAGES, "factors": every(2, 2), "names": ["a", "a"]},
        "2 different 'names'",
    ),
    "no name": ({"images": IMAGES, "factors": every(2, 2), "names": ["a", ""]}, "'names' has ''"),
    "equals": ({"images": IMAGES, "factors": every(2, 2), "names": ["a", "b=1"]}, "has 'b=1'"),
    "comma": ({"images": IMAGES, "factors": every(2, 2), "names": ["a", "b,c"]}, "has 'b,c'"),
    "lines": (
        {"images": IMAGES, "factors": every(2, 2), "names": ["a", "b\nc"]},
        "one line of text",
    ),
    "bell": (
        {"images": IMAGES, "factors": every(2, 2), "names": ["a", "b\ac"]},
        "one line of text",
    ),
    "spaces": (
        {"images": IMAGES, "factors": every(2, 2), "names": ["a", " b"]},
        "surrounding spaces",
    ),
    "long words": ({"images": IMAGES, "factors": np.zeros(4, "S5000")}, "5,000 per entry"),
    "long names": (
        {"images": IMAGES, "factors": every(2, 2), "names": np.zeros(300, "S4000")},
        "'names' has 1,200,000 bytes",
    ),
    "no text": ({"images": IMAGES, "factors": [b"\xff", b"a", b"b", b"c"]}, "cannot use"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_arrays_are_refused_and_leave_nothing(npz, tmp_path, wrong):
    arrays, reason = WRONG[wrong]
    with pytest.raises(DisentangleError, match=reason) as caught:
        npz(**arrays)
    assert str(tmp_path / "own.npz") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert left_behind(tmp_path) == set()


def write_header(path, content=b"", **header):
    """Write an npz whose images have a header that need not be true."""
    header = {"descr": "|u1", "fortran_order": False, **header}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("images.npy", "w") as member:
            np.lib.format.write_array_header_1_0(member, header)
            member.write(content)


def test_header_that_would_fill_memory_is_refused(load, tmp_path):
    with zipfile.ZipFile(tmp_path / "own.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", b"\x93NUMPY\2\0" + struct.pack("<I", 2**24) + bytes(2**24))
    with pytest.raises(DisentangleError, match="'images' has a header of 16,777,216 bytes"):
        load(tmp_path / "own.npz")


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((10**15, 64, 64), "MB left: free some space"),
        ((2**62, 64, 64), "."),
        ((1, 10**6, 10**6), "at most 50,000,000 pixels"),
        ((-1, 64, 64), "it holds no images"),
        ((3, 64, 64), "ends too early"),
        ((1, 64, 64), "longer than its header says"),
    ],
)
@pytest.mark.parametrize("size", [None, 32])
def test_header_that_is_not_true_is_refused(load, tmp_path, shape, reason, size):
    write_header(tmp_path / "own.npz", bytes(2 * 64 * 64), shape=shape)
    with pytest.raises(DisentangleError, match=reason):
        load(tmp_path / "own.npz", image_size=size)
    assert left_behind(tmp_path) == set()


def test_large_images_are_read_a_few_at_a_time(npz, monkeypatch):
    read = []
    real = zipfile.ZipExtFile.read
    spy = lambda file, n=-1: read.append(n) or real(file, n)  # noqa: E731
    monkeypatch.setattr(zipfile.ZipExtFile, "read", spy)
    monkeypatch.setattr("disentangle.data.user_images.BLOCK", 10_000)
    npz(images=noise(20, 90, 90))
    assert 8100 <= max(read) <= 10_000


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "an empty file: get it again"),
        (b"text", "expected an npz file, got a text file"),
        (b"PK\3\4 and no more", "expected an npz file, got a damaged or truncated zip file"),
        (b"<html><title>Quota exceeded</title>", r"a web page \('Quota exceeded'\), not the file"),
        (b"\x93NUMPY", "expected an npz file, got an npy file"),
        (b"\0\1", "expected an npz file, got something else"),
    ],
)
def test_file_that_is_no_npz_is_refused(load, tmp_path, content, kind):
    (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(DisentangleError, match=rf"cannot use .*own\.npz.*: .*{kind}"):
        load(tmp_path / "own.npz")


def test_damaged_npz_is_refused(load, tmp_path):
    np.savez(tmp_path / "own.npz", images=noise(9, 64, 64))
    content = bytearray((tmp_path / "own.npz").read_bytes())
    content[20_000] ^= 1
    (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(DisentangleError, match="CRC"):
        load(tmp_path / "own.npz")
    assert left_behind(tmp_path) == set()


def test_folder_that_is_called_npz_is_refused(load, tmp_path):
    (tmp_path / "own.npz").mkdir()
    with pytest.raises(DisentangleError, match=r"cannot use .*own\.npz as images: Is a directory"):
        load(tmp_path / "own.npz")


# End to end


@pytest.fixture
def trained(photos, tmp_path, monkeypatch):
    """A run on the folder of photos, given by a relative path, with what it was trained on."""
    monkeypatch.chdir(tmp_path)
    options = {"steps": 2, "batch_size": 3, "figures": False, "device": "cpu"}
    run = disentangle.train(
        "vae", "./photos", image_size=64, channels=1, data_dir="data", **options
    )
    monkeypatch.chdir("/")
    return disentangle.load_run(tmp_path / run.path), run.dataset


def test_run_opens_its_folder_again(trained):
    again, before = trained
    assert again.dataset.fingerprint == before.fingerprint == again.record.dataset.fingerprint
    np.testing.assert_array_equal(rows(again.dataset), rows(before))


def test_run_finds_a_folder_that_was_moved(trained, photos, tmp_path):
    again, before = trained
    photos.rename(tmp_path / "moved")
    moved = disentangle.load_run(again.path, file=tmp_path / "moved")
    assert moved.dataset.fingerprint == before.fingerprint


def test_run_whose_folder_is_gone_says_how_to_name_another(trained, photos):
    again, _ = trained
    shutil.rmtree(photos)
    with pytest.raises(DisentangleError, match=rf"images in {photos}, which were not .* `--file`"):
        _ = again.dataset


def test_images_that_are_damaged_are_said_to_be_prepared_again_when_a_run_is_scored(trained):
    again, before = trained
    (images,) = (again.path.parents[4] / "data").rglob("images-*.npy")
    images.write_bytes(images.read_bytes()[:-9])
    said = []
    score_run(again, ScoringRequest.of(["reconstruction"]), say=said.append)
    assert "are damaged or outdated: preparing them again" in said[0]
    assert again.dataset.fingerprint == before.fingerprint


def test_run_refuses_a_folder_that_has_changed(trained, photos):
    save(photos / "7.png", picture(seed=7))
    with pytest.raises(DisentangleError, match=r"original file.* train the run again"):
        _ = trained[0].dataset


def test_default_metrics_are_unavailable_without_labels(trained):
    scores = disentangle.score(trained[0])
    assert not scores
    assert {"mig", "beta-vae-score"} <= set(scores.unavailable)
    for reason in scores.unavailable.values():
        assert reason == "needs a dataset that is labelled, but './photos' is only images"


# Names that are not UTF-8


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow only UTF-8")
def test_folder_whose_name_is_not_utf8_is_prepared_trained_and_scored(photos, tmp_path):
    folder = photos.rename(tmp_path / os.fsdecode(b"ph\xe9"))
    (folder / "0.png").rename(folder / os.fsdecode(b"im\xff.png"))
    options = {"steps": 2, "batch_size": 4, "results": tmp_path / os.fsdecode(b"r\xff")}
    run = disentangle.train("vae", f"{folder}/", data_dir=tmp_path / "data", **options)
    again = disentangle.load_run(run.path)
    assert again.record.dataset.file == str(folder)
    assert again.record == run.record
    assert again.record.dataset.name == r"./ph\xe9"
    assert json.loads((run.path / "run.json").read_text())["dataset"]["file"] == str(folder)
    assert all(value > 0 for value in disentangle.score(again, ["reconstruction"]).values())
    assert (run.path / "scores.json").exists()
    (state,) = unregistered_states(tmp_path / "data")
    assert state[2].startswith("ready: 6 images")
