"""Files that are not what their names say: empty, a web page, another format, truncated."""

import gzip
import io
import zipfile

import h5py
import numpy as np
import pytest

from disentangle.data.file_kinds import kind_of, pickled_class, unusable
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError

PAGE = "\n<!-- a note --><HTML lang=en><head><title>\n Google Drive - Quota exceeded </title>"


def npy():
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


def npz():
    file = io.BytesIO()
    np.savez(file, codes=np.ones(3), factors=np.ones(3))
    return file.getvalue()


def h5():
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        opened["codes"] = np.ones(3)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (PAGE.encode(), "a web page ('Google Drive - Quota exceeded'), not the file itself"),
        (b"\xef\xbb\xbf<!doctype HTML>", "a web page, not the file itself"),
        (npy(), "an npy file"),
        (npz(), "a zip file"),
        (h5(), "an HDF5 file"),
        (gzip.compress(npz()), "a gzip file"),
        (
            b"version https://git-lfs.github.com/spec/v1",
            "a Git LFS pointer, not the file itself (run `git lfs pull`)",
        ),
        (b"1.0,2.0\n3.0,4.0\n", "a text file"),
        (bytes(range(32)), ""),
    ],
)
def test_files_are_described_by_their_content(tmp_path, content, words):
    (tmp_path / "data.npz").write_bytes(content)
    assert kind_of(tmp_path / "data.npz") == words


def test_text_about_pages_is_no_page(tmp_path):
    (tmp_path / "codes.csv").write_text("html,doctype\n1,2\n")
    assert unusable(tmp_path / "codes.csv") == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (PAGE.encode(), "Quota exceeded"),
        (npy(), "expected an npz file, got an npy file"),
    ],
)
@pytest.mark.parametrize("dataset", ["mpi3d-real", "dsprites", "./"])
def test_wrong_file_of_a_dataset_is_described(tmp_path, dataset, content, words):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    name, file = (str(path), None) if dataset == "./" else (dataset, path)
    with pytest.raises(DisentangleError, match=f"cannot use {path}.*{words}"):
        load_dataset(name, file=file, data_dir=tmp_path / "data")


@pytest.mark.parametrize("dataset", ["shapes3d", "cars3d", "chairs", "celeba", "smallnorb"])
def test_web_page_in_place_of_a_dataset_is_told_as_such(tmp_path, dataset):
    path = tmp_path / "download"
    path.write_text(PAGE)
    with pytest.raises(DisentangleError, match=r"it is a web page .* get it again, from http"):
        load_dataset(dataset, file=path, data_dir=tmp_path / "data")


def test_damaged_pickle_is_no_error(tmp_path):
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/data.pkl", b"\x80\x02}q")
    assert pickled_class(path) is None
