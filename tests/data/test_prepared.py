"""Prepared images: made once, checked, and made again when they are not what was asked for."""

import errno
import hashlib
import json
import re
import shutil

import numpy as np
import pytest
from filelock import FileLock

from disentangle.data.array_datasets import as_dataset
from disentangle.data.factor_values import read_factors
from disentangle.data.manifest import stamp_of
from disentangle.data.prepared import Content, Preparation, reordered
from disentangle.errors import DisentangleError

SHAPE = (6, 4)
ROWS = np.arange(24, dtype=np.uint8).reshape(SHAPE)
UNFINISHED = (".images.npy.0123abcd.tmp", ".set.tar.gz-x.unpacked", "images-0123abcd.npy")


def left_in(folder):
    """Return the names of the files in a folder, without the marks of the arrays' files."""
    return sorted(re.sub(r"-[0-9a-f]{8}\.npy$", ".npy", path.name) for path in folder.iterdir())


@pytest.fixture
def prepared(tmp_path):
    """A function that gets prepared images and says how often they were made."""
    made = []

    def get(**options):
        def make(stack):
            made.append(1)
            blocks = (ROWS[i : i + 2] for i in (0, 2, 4))
            return Content(blocks=blocks, shape=SHAPE, source="drawn", files={"a": "md5:0"})

        defaults = {"folder": tmp_path / "set", "version": 1}
        return Preparation(**{**defaults, **options}).get(make), len(made)

    return get


def test_images_are_made_once_and_mapped_afterwards(prepared):
    first, _ = prepared()
    second, made = prepared()
    assert made == 1
    assert (second.rows == ROWS).all()
    assert second.manifest == first.manifest
    assert (second.manifest.source, second.manifest.files) == ("drawn", {"a": "md5:0"})
    assert not second.rows.flags.writeable


def test_another_version_is_made_again(prepared):
    prepared()
    assert prepared(version=2)[1] == 2


def test_what_is_not_wanted_even_when_made_anew_is_an_error(prepared):
    prepared()
    with pytest.raises(DisentangleError, match="cannot be read back"):
        prepared(wanted=lambda manifest: False)


@pytest.mark.parametrize("name", ["images-*.npy", "prepared.json"])
def test_damage_is_said_and_mended(prepared, tmp_path, name):
    prepared()
    (path,) = (tmp_path / "set").glob(name)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    said = []
    found, made = prepared(say=said.append)
    assert made == 2
    assert (found.rows == ROWS).all()
    assert "damaged or outdated" in said[0]


def test_interruption_leaves_nothing_half_made(tmp_path):
    def broken():
        yield ROWS[:2]
        raise KeyboardInterrupt

    preparation = Preparation(folder=tmp_path / "set", version=1)
    with pytest.raises(KeyboardInterrupt):
        preparation.get(lambda stack: Content(blocks=broken(), shape=SHAPE, source="drawn"))
    assert [p.name for p in (tmp_path / "set").iterdir()] == [".lock"]


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    preparation = Preparation(folder=tmp_path / "file" / "set", version=1)
    with pytest.raises(DisentangleError, match=r"cannot prepare images in .*another data folder"):
        preparation.get(lambda stack: Content(blocks=[ROWS], shape=SHAPE, source="drawn"))


def get(folder, **content):
    given = {"blocks": [ROWS], "shape": SHAPE, "source": "drawn", **content}
    return Preparation(folder=folder, version=1).get(lambda stack: Content(**given))


def test_source_that_cannot_be_read_is_named_and_no_room_is_asked_for(tmp_path):
    def make(stack):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "source.h5"))

    with pytest.raises(DisentangleError, match=r"Permission denied: .*source.h5$"):
        Preparation(folder=tmp_path / "set", version=1).get(make)


def test_images_of_another_length_than_said_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(DisentangleError, match=r"expected 28 bytes of images of .*, got 24"):
        get(tmp_path / "set", shape=(7, 4))
    assert [p.name for p in (tmp_path / "set").iterdir()] == [".lock"]


def test_images_that_do_not_fit_on_the_disk_are_refused_before_they_are_read(tmp_path):
    def never():
        raise AssertionError
        yield

    with pytest.raises(DisentangleError, match="the images need 1,000,000,000,000 MB"):
        get(tmp_path / "set", blocks=never(), shape=(10**18,))


def test_copied_images_are_checked_once_and_then_trusted(tmp_path, monkeypatch):
    get(tmp_path / "set")
    copied = shutil.copytree(tmp_path / "set", tmp_path / "copy", copy_function=shutil.copyfile)
    read = []
    real = hashlib.sha256
    monkeypatch.setattr(
        "disentangle.data.prepared.hashlib.sha256", lambda *a: read.append(a) or real(*a)
    )
    for _ in range(2):
        Preparation(folder=copied, version=1).load()
    assert len(read) == 1


def test_labels_are_kept_checked_and_part_of_the_fingerprint(tmp_path):
    about = {"factors": {"a": ("x", "y")}, "splits": ("one", "two")}
    labels, part = np.array([[0], [1], [0], [1], [0], [1]]), np.array([0, 0, 0, 1, 1, 1])
    first = get(tmp_path / "first", labels=labels, part=part, **about)
    other = get(tmp_path / "other", labels=1 - labels, part=part, **about)
    assert first.labels.tolist() == [[0, 0], [1, 0], [0, 0], [1, 1], [0, 1], [1, 1]]
    assert first.manifest.sha256 == other.manifest.sha256
    assert first.manifest.fingerprint != other.manifest.fingerprint
    np.save(tmp_path / "first" / first.manifest.file("labels"), other.labels)
    assert Preparation(folder=tmp_path / "first", version=1).load() is None


def real_content(values, kind="continuous"):
    """The content of images with a factor of real numbers and one of words."""
    columns = np.array([["x", value] for value in values], object)
    factors = read_factors(columns, ["word", "number"], kinds={"number": kind}, real=True)
    return {
        "factors": factors.values,
        "numbers": factors.numbers,
        "kinds": factors.kinds,
        "real": factors.real,
        "labels": factors.labels,
    }


VALUES = [0.5, -1.5, 2.5, 0.5, 9.0, 3.25]


def test_real_numbers_are_kept_in_a_file_and_come_back_as_a_factor(tmp_path):
    shape = {"blocks": [ROWS.reshape(6, 2, 2, 1)], "shape": (6, 2, 2, 1)}
    prepared = get(tmp_path / "set", **shape, **real_content(VALUES))
    assert prepared.manifest.factors == {"word": ("x",), "number": ()}
    assert prepared.manifest.numbers == {}
    dataset = as_dataset(prepared)
    assert dataset.every_factor == {"word": 1, "number": 5}
    assert (dataset.kinds, dataset.real_factors) == ({"number": "continuous"}, ("number",))
    assert (dataset.values, set(dataset.numbers)) == ({"word": ("x",)}, {"number"})
    assert dataset.numbers["number"][dataset.every_label(range(6))[:, 1]].tolist() == VALUES


def test_real_numbers_and_kinds_are_part_of_the_fingerprint(tmp_path):
    prints = {
        get(tmp_path / str(k), **content).manifest.fingerprint
        for k, content in enumerate(
            [
                real_content(VALUES),
                real_content([0.25, *VALUES[1:3], 0.25, *VALUES[4:]]),
                real_content(VALUES, "cyclic=10"),
            ]
        )
    }
    assert len(prints) == 3


def test_real_numbers_that_changed_are_prepared_again(tmp_path):
    prepared = get(tmp_path / "set", **real_content(VALUES))
    np.save(tmp_path / "set" / prepared.manifest.file("numbers"), np.zeros(5))
    assert Preparation(folder=tmp_path / "set", version=1).load() is None
    get(tmp_path / "set", **real_content(VALUES))
    assert left_in(tmp_path / "set").count("numbers.npy") == 1


def test_real_numbers_without_labels_are_refused():
    content = {**real_content(VALUES), "labels": None}
    with pytest.raises(ValueError, match="expected labels of factors of real numbers"):
        Content(blocks=[ROWS], shape=SHAPE, source="drawn", **content)


def test_another_file_of_the_user_is_prepared_anew_and_the_same_is_not(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    made = []

    def open_from(path):
        def make(stack):
            made.append(path)
            return Content(blocks=[ROWS], shape=SHAPE, source=path.name)

        return Preparation(folder=tmp_path / "set", version=1, given=path).get(make)

    for path in paths:
        path.write_text("")
    for path in (paths[0], paths[0], paths[1]):
        assert open_from(path).manifest.source == path.name
    assert made == paths
    paths[1].write_text("edited")
    open_from(paths[1])
    assert len(made) == 3


def test_stamp_of_a_folder_changes_with_any_file_in_it(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_text("1")
    first = stamp_of(tmp_path)
    assert stamp_of(tmp_path) == first
    (tmp_path / "deep" / "a").write_text("22")
    assert stamp_of(tmp_path) != first


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    (tmp_path / "set").mkdir()
    for name in UNFINISHED:
        (tmp_path / "set" / name).write_bytes(bytes(100))
    get(tmp_path / "set")
    assert left_in(tmp_path / "set") == [".lock", "images.npy", "prepared.json"]


def test_what_a_killed_process_left_beside_a_good_set_is_cleared_away(tmp_path):
    get(tmp_path / "set")
    for name in UNFINISHED:
        (tmp_path / "set" / name).write_bytes(bytes(100))
    with FileLock(tmp_path / "set" / ".lock"):  # another process is at work
        get(tmp_path / "set")
        assert len(left_in(tmp_path / "set")) == 6
    get(tmp_path / "set")
    assert left_in(tmp_path / "set") == [".lock", "images.npy", "prepared.json"]


def test_good_images_stay_until_others_are_written(tmp_path, monkeypatch):
    def refused():
        yield ROWS[:2]
        raise DisentangleError("refused")

    def killed(*_):
        raise KeyboardInterrupt

    first = get(tmp_path / "set")
    other = Preparation(folder=tmp_path / "set", version=2)
    with pytest.raises(DisentangleError, match="refused"):
        other.get(lambda stack: Content(blocks=refused(), shape=SHAPE, source="other"))
    with monkeypatch.context() as patch:
        patch.setattr("disentangle.data.prepared.write_manifest", killed)
        with pytest.raises(KeyboardInterrupt):
            other.get(lambda stack: Content(blocks=[ROWS], shape=SHAPE, source="other"))
    again = Preparation(folder=tmp_path / "set", version=1).load()
    assert again.manifest == first.manifest
    other.get(lambda stack: Content(blocks=[ROWS + 1], shape=SHAPE, source="other"))
    assert left_in(tmp_path / "set") == [".lock", "images.npy", "prepared.json"]


def test_set_of_an_older_version_of_this_program_is_still_good(tmp_path):
    first = get(tmp_path / "set")
    (tmp_path / "set" / first.manifest.file("images")).rename(tmp_path / "set" / "images.npy")
    manifest = first.manifest.model_dump()
    del manifest["mark"]
    (tmp_path / "set" / "prepared.json").write_text(json.dumps(manifest))
    assert get(tmp_path / "set", blocks=[]).manifest.fingerprint == first.manifest.fingerprint


def test_each_of_several_files_that_changes_makes_the_images_anew(tmp_path):
    paths, made = [tmp_path / "a", tmp_path / "b"], []

    def make(stack):
        made.append(1)
        return Content(blocks=[ROWS], shape=SHAPE, source="drawn")

    for path in paths:
        path.write_text("")
    for changed in (None, *paths):
        if changed:
            changed.write_text("edited")
        for _ in range(2):
            Preparation(folder=tmp_path / "set", version=1, given=paths).get(make)
    assert len(made) == 3


@pytest.mark.parametrize("block", [1, 8, 2**20])
def test_images_are_put_in_order_by_way_of_a_file(tmp_path, monkeypatch, block):
    monkeypatch.setattr("disentangle.data.prepared.BLOCK", block)
    place = np.array([3, 0, 5, 1, 4, 2])
    blocks = (ROWS[i : i + 4] for i in (0, 4))
    found = np.concatenate(list(reordered(blocks, place, SHAPE, tmp_path)))
    np.testing.assert_array_equal(found[place], ROWS)
    assert list(tmp_path.iterdir()) == []
