"""Archives and compressed files, unpacked for other libraries."""

import gzip
import shutil
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from disentangle.data.unpacking import given_folder, unpack_file
from disentangle.errors import DisentangleError


def test_files_of_an_archive_are_there_until_the_stack_is_exited(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.txt").write_text("a")
    archive = shutil.make_archive(str(tmp_path / "own"), "zip", tmp_path / "own")
    location = SimpleNamespace(folder=tmp_path / "prepared")
    with ExitStack() as stack:
        folder = given_folder(tmp_path / "own.zip", location, stack)
        assert (folder / "a.txt").read_text() == "a"
    assert archive == str(tmp_path / "own.zip")
    assert not folder.exists()


def test_file_is_decompressed_by_its_ending_and_a_damaged_one_is_named(tmp_path):
    plain, good, bad = tmp_path / "a", tmp_path / "b.gz", tmp_path / "c.gz"
    plain.write_bytes(b"plain")
    good.write_bytes(gzip.compress(b"content"))
    bad.write_bytes(b"no gzip")
    unpack_file(plain, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"plain"
    unpack_file(good, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"content"
    with pytest.raises(DisentangleError, match=r"c\.gz cannot be unpacked: .*; get it again"):
        unpack_file(bad, tmp_path / "copy")
