"""Prepared images: made once, checked, and made again when they are not what was asked for."""

import numpy as np
import pytest

from disentangle.errors import DisentangleError
from disentangle.prepare import Preparation

SHAPE = (6, 4)
ROWS = np.arange(24, dtype=np.uint8).reshape(SHAPE)


@pytest.fixture
def prepared(tmp_path):
    """A function that gets prepared images and says how often they were made."""
    made = []

    def get(**options):
        def make():
            made.append(1)
            return (ROWS[i : i + 2] for i in (0, 2, 4)), "drawn", "digest"

        defaults = {"folder": tmp_path / "set", "version": 1, "shape": SHAPE}
        return Preparation(**{**defaults, **options}).get(make), len(made)

    return get


def test_images_are_made_once_and_mapped_afterwards(prepared):
    first, _ = prepared()
    second, made = prepared()
    assert made == 1
    assert (second.rows == ROWS).all()
    assert second.manifest == first.manifest
    assert (second.manifest.source, second.manifest.origin) == ("drawn", "digest")
    assert not second.rows.flags.writeable


def test_another_version_is_made_again(prepared):
    prepared()
    assert prepared(version=2)[1] == 2


def test_what_is_not_wanted_even_when_made_anew_is_an_error(prepared):
    prepared()
    with pytest.raises(DisentangleError, match="does not return what was written"):
        prepared(wanted=lambda manifest: False)


@pytest.mark.parametrize("name", ["images.npy", "prepared.json"])
def test_damage_is_said_and_mended(prepared, tmp_path, name):
    prepared()
    path = tmp_path / "set" / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    said = []
    found, made = prepared(say=said.append)
    assert made == 2
    assert (found.rows == ROWS).all()
    assert "damaged or of another version" in said[0]


def test_interruption_leaves_nothing_half_made(tmp_path):
    def broken():
        yield ROWS[:2]
        raise KeyboardInterrupt

    preparation = Preparation(folder=tmp_path / "set", version=1, shape=SHAPE)
    with pytest.raises(KeyboardInterrupt):
        preparation.get(lambda: (broken(), "drawn", None))
    assert [p.name for p in (tmp_path / "set").iterdir()] == [".lock"]


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    preparation = Preparation(folder=tmp_path / "file" / "set", version=1, shape=SHAPE)
    with pytest.raises(DisentangleError, match=r"cannot prepare images in .*another data folder"):
        preparation.get(lambda: ([ROWS], "drawn", None))
