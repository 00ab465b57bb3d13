"""Codes and factors in CSV files: blocks of rows, their memory, and lines in messages."""

import tracemalloc

import numpy as np
import pytest

from disentangle.data import tables
from disentangle.scoring import code_tables
from disentangle.scoring.code_tables import read_table


@pytest.fixture
def path(tmp_path):
    return tmp_path / "codes.csv"


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(tables, "BLOCK", 3)


def test_blocks_are_put_together_in_order(path, small_blocks):
    path.write_text("z0,colour,z1\n" + "".join(f"{i}.5,{'x' * i},-{i}\n" for i in range(8)))
    arrays = read_table(path, "codes")
    np.testing.assert_array_equal(arrays["codes"], [[i + 0.5, -i] for i in range(8)])
    assert arrays["factors"].tolist() == [["x" * i] for i in range(8)]
    assert arrays["names"] == ["colour"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,red", "column 'z0' holds codes: expected a number in line 9, got 'red'"),
        ("1", "line 9 has 1 columns, but the header has 2"),
        (f"{'x' * 2000},1", "column 'x' holds a factor: .* at most 1,024 characters in line 9"),
    ],
)
def test_message_names_the_line_of_the_file_in_any_block(path, small_blocks, row, message):
    rows = ["x,z0", "1,2", "", '"two\nlines",2', *["1,2"] * 3, row, "1,2"]
    path.write_text("\n".join(rows))
    with pytest.raises(ValueError, match=message):
        read_table(path, "codes")


def test_memory_is_that_of_the_arrays_and_not_of_the_text(path, monkeypatch):
    monkeypatch.setattr(tables, "BLOCK", 256)
    line = ",".join(["0.12345678901234567"] * 10) + ",3\n"
    path.write_text(",".join(f"z{d}" for d in range(10)) + ",size\n" + line * 30_000)
    tracemalloc.start()
    try:
        arrays = read_table(path, "codes")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * arrays["codes"].nbytes  # the text takes ten times as much


def test_arrays_that_take_too_much_memory_are_refused(path, small_blocks, monkeypatch):
    monkeypatch.setattr(code_tables.npz, "SMALL", 50)
    path.write_text("z0,size\n" + "0.5,1\n" * 9)
    with pytest.raises(ValueError, match="its codes take more than 50 bytes of memory"):
        read_table(path, "codes")
