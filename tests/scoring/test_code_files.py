"""Codes and factors in files of every form, and the messages about files that hold neither."""

import csv
import io
import json
import sys

import numpy as np
import pytest
import torch

from disentangle.data.factor_values import read_factors
from disentangle.errors import DisentangleError, UsageError
from disentangle.scoring.arrays import array_source
from disentangle.scoring.code_files import read_codes

V = np.random.default_rng(0).integers(0, [3, 4], (40, 2))
Z = V + np.random.default_rng(1).normal(size=V.shape)


def table(*columns, delimiter=","):
    """The text of a table of (name, values)."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*(values for _, values in columns), strict=True))
    return text.getvalue()


COLUMNS = (("z0", Z[:, 0]), ("size", V[:, 0]), ("z1", Z[:, 1]), ("x", V[:, 1]))


def write(folder, form):
    path = folder / f"codes.{form}"
    if form == "npz":
        np.savez(path, codes=Z, factors=V, names=np.array(["size", "x"], object))
    elif form == "pt":
        torch.save(
            {"codes": torch.tensor(Z), "factors": torch.tensor(V), "names": ["size", "x"]}, path
        )
    elif form == "h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            file["codes"], file["factors"], file["names"] = Z, V, ["size", "x"]
    elif form == "csv":
        path.write_text("\ufeff" + table(*COLUMNS), encoding="utf-8")
    elif form == "tsv":
        path.write_text(table(("", range(40)), *COLUMNS, delimiter="\t"))  # as pandas writes it
    elif form == "parquet":
        write_parquet(path, COLUMNS)
    return path


def write_parquet(path, columns):
    """A Parquet file of (name, values), with an index as pandas writes it."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    names = {"__index_level_0__": range(len(columns[0][1]))}
    parquet.write_table(pyarrow.table(names | dict(columns)), path)


@pytest.mark.parametrize("form", ["npz", "pt", "h5", "csv", "tsv", "parquet"])
def test_codes_and_factors_are_read_from_one_file(tmp_path, form):
    found = read_codes(write(tmp_path, form))
    np.testing.assert_array_equal(found["codes"], Z)
    np.testing.assert_array_equal(found["factors"].astype(int), V)
    assert found["names"] == ["size", "x"]


@pytest.mark.parametrize("codes", ["npy", "pt", "npz"])
@pytest.mark.parametrize("factors", ["npy", "csv", "parquet"])
def test_factors_are_read_from_a_second_file(tmp_path, codes, factors):
    path, labels = tmp_path / f"z.{codes}", tmp_path / f"v.{factors}"
    if codes == "pt":
        torch.save(torch.tensor(Z, requires_grad=True), path)
    else:
        np.save(path, Z) if codes == "npy" else np.savez(path, codes=Z, factors=V[::-1])
    if factors == "npy":
        np.save(labels, V)
    elif factors == "parquet":
        write_parquet(labels, (("size", V[:, 0]), ("z1", V[:, 1])))
    else:
        labels.write_text(table(("size", V[:, 0]), ("z1", V[:, 1])))
    found = read_codes(path, labels)
    np.testing.assert_array_equal(found["codes"], Z)
    np.testing.assert_array_equal(found["factors"].astype(int), V)
    assert found.get("names") == (None if factors == "npy" else ["size", "z1"])


class Thing:
    """Something that is no tensor."""


def saved(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", b"", "expected an npy file, got an empty file"),
        ("a.npy", b"PK\3\4", "expected an npy file, got a zip file"),
        ("a.h5", b"hello", "expected an HDF5 file, got a text file"),
        ("a.pt", b"hello", "expected a file written by torch.save, got a text file"),
        ("a.pt", saved(Thing()), "it holds objects other than tensors.*`torch.save"),
        ("a.pt", saved([1]), "expected a tensor or a dictionary, got a list"),
        ("a.pt", saved({"z": torch.zeros(2)}), "expected both arrays, got z"),
        ("a.csv", b"", "got an empty file"),
        ("a.csv", b"\xff\xfe1", "cannot use"),
        ("a.csv", b"<html><title>404</title>", r"got a web page \('404'\)"),
        ("a.csv", b"\n\n", "its first row must name the columns"),
        ("a.csv", b"0.1,0.2,1\n0.3,0.4,2\n", "its first row must name the columns"),
        ("a.csv", b"code_0,x\n0.1,1\n0.2\n", "line 3 has 1 columns, but the header has 2"),
        ("a.csv", b"code_0,x\n0.1,1\nred,2\n", "column 'code_0' .* in line 3, got 'red'"),
        ("a.csv", b"size,x\n1,2\n", "expected columns named code_0, code_1"),
        ("a.csv", b"code_0\n1\n", "has no factors: give their file with `--labels FILE`"),
        ("a.parquet", b"PAR1", "Parquet file size is 4 bytes"),
        ("a.parquet", b"hello", "expected a Parquet file, got a text file"),
        ("a.xlsx", b"PK", r"expected a file that ends with \.npz, \.npy"),
    ],
)
def test_file_without_codes_or_factors_is_refused_with_the_reason(tmp_path, name, content, message):
    pytest.importorskip("h5py")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DisentangleError, match=message) as caught:
        read_codes(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


KINDS = {"size": "ordinal"}


@pytest.mark.parametrize("form", ["npz", "pt", "h5", "csv", "parquet"])
def test_kinds_of_factors_are_in_the_file_or_beside_a_table(tmp_path, form):
    path = write(tmp_path, form)
    assert not read_codes(path).get("kinds")
    if form in ("csv", "parquet"):
        (tmp_path / f"codes.{form}.json").write_text(json.dumps({"kinds": KINDS}))
    elif form == "npz":
        np.savez(path, codes=Z, factors=V, names=["size", "x"], kinds=["ordinal", ""])
    elif form == "pt":
        texts = {"names": ["size", "x"], "kinds": ["ordinal", ""]}
        torch.save({"codes": torch.tensor(Z), "factors": torch.tensor(V), **texts}, path)
    else:
        with pytest.importorskip("h5py").File(path, "a") as file:
            file["kinds"] = ["ordinal", ""]
    assert read_codes(path)["kinds"] == KINDS


def test_kinds_without_names_are_of_the_factors_in_order(tmp_path):
    np.savez(tmp_path / "a.npz", codes=Z, factors=V, kinds=["", "cyclic=4"])
    assert read_codes(tmp_path / "a.npz")["kinds"] == {"factor 2": "cyclic=4"}


def test_another_number_of_kinds_than_of_factors_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", codes=Z, factors=V, kinds=["ordinal"])
    with pytest.raises(DisentangleError, match=r"a\.npz .*: expected 2 'kinds', one per factor"):
        read_codes(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("kinds", r"codes\.csv\.json beside it is not JSON"),
        ('{"kinds": ["ordinal"]}', r'expected "kinds" such as .* got \["ordinal"\]'),
    ],
)
def test_file_beside_a_table_that_says_no_kinds_is_refused(tmp_path, content, message):
    path = write(tmp_path, "csv")
    (tmp_path / "codes.csv.json").write_text(content)
    with pytest.raises(DisentangleError, match=message):
        read_codes(path)


def test_columns_of_parquet_keep_their_types(tmp_path):
    words, flags = np.array(["b", "a"] * 20), V[:, 0] > 0
    columns = (*COLUMNS, ("word", words), ("flag", flags), ("real", Z[:, 1] * 2))
    write_parquet(tmp_path / "a.parquet", columns)
    found = read_codes(tmp_path / "a.parquet")
    assert found["names"] == ["size", "x", "word", "flag", "real"]
    values = read_factors(found["factors"], found["names"], real=True)
    assert (values.values["word"], values.values["flag"]) == (("a", "b"), ("False", "True"))
    assert values.kinds == {"real": "continuous"}


@pytest.mark.parametrize(
    ("values", "got"),
    [(["red"] * 40, "row 0, got 'red'"), ([*Z[:39, 0], None], "row 39, got None")],
)
def test_column_of_codes_in_parquet_holds_numbers(tmp_path, values, got):
    write_parquet(tmp_path / "a.parquet", (("z0", values), *COLUMNS[1:]))
    message = f"column 'z0' holds codes: expected a number in {got}"
    with pytest.raises(DisentangleError, match=message):
        read_codes(tmp_path / "a.parquet")


def test_missing_factor_in_parquet_is_named(tmp_path):
    columns = dict(COLUMNS) | {"size": [1, None, *V[2:, 0]]}
    write_parquet(tmp_path / "a.parquet", (*columns.items(),))
    with pytest.raises(UsageError, match=r"\('size'\): row 1 has no value; leave out such rows"):
        array_source(**read_codes(tmp_path / "a.parquet"))


def test_parquet_without_pyarrow_is_refused_with_a_remedy(tmp_path, monkeypatch):
    write_parquet(tmp_path / "a.parquet", COLUMNS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DisentangleError, match="Run `pip install pyarrow`, or convert the table"):
        read_codes(tmp_path / "a.parquet")


def test_missing_file_and_missing_factors_are_named(tmp_path):
    np.save(tmp_path / "z.npy", Z)
    with pytest.raises(DisentangleError, match=r"z\.npy has no factors: .*`--labels FILE`"):
        read_codes(tmp_path / "z.npy")
    with pytest.raises(DisentangleError, match=r"absent\.npy .*No such file"):
        read_codes(tmp_path / "absent.npy")
    with pytest.raises(DisentangleError, match=r"absent\.csv .*No such file"):
        read_codes(tmp_path / "z.npy", tmp_path / "absent.csv")


def test_link_out_of_an_hdf5_file_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["codes"] = Z
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["codes"] = h5py.ExternalLink("other.h5", "codes")
        file["factors"] = V
    with pytest.raises(DisentangleError, match="'codes' must be an array in this file"):
        read_codes(tmp_path / "a.h5")
