"""Contact sheets: a row moves one factor and nothing else."""

import numpy as np
import pytest

from disentangle.contracts.dataset import Grid
from disentangle.data.loading import load_dataset
from disentangle.errors import UsageError
from disentangle.figures.contact_sheet import COLUMNS, draw_contact_sheet, find_rows

pytestmark = pytest.mark.usefixtures("strangers")


class Long(Grid):
    image_shape, fingerprint, source = (1, 1, 1), "long", "made"

    def images(self, index):
        raise AssertionError


def rows(dataset):
    return find_rows(dataset, np.random.default_rng(0))


def test_row_of_a_grid_goes_through_one_factor_and_holds_the_others():
    tiny = load_dataset("tiny")
    found = rows(tiny)
    assert [row.label.split("\n")[0] for row in found] == ["colour", "side", "x", "y"]
    for column, row in enumerate(found):
        labels = tiny.every_label(row.index)
        assert labels[:, column].tolist() == list(range(len(labels)))
        assert (np.delete(labels, column, 1) == np.delete(labels[:1], column, 1)).all()
        assert row.heads == [str(i) for i in range(len(labels))]
    assert "not scored" in found[0].label


def test_long_factor_shows_some_of_its_values_from_end_to_end():
    long = Long({"long": 40, "other": 2})
    values = long.every_label(rows(long)[0].index)[:, 0]
    assert len(values) == COLUMNS
    assert (values[0], values[-1]) == (0, 39)
    assert (np.diff(values) > 0).all()


def test_row_of_labelled_images_shows_examples_of_each_value():
    labelled = load_dataset("tiny").view(hold_out=["side=0,x=0", "side=1,x=3"])
    row = rows(labelled)[1]
    values = labelled.every_label(row.index)[:, 1]
    assert values.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert row.heads == [str(v) for v in values]


def test_images_without_labels_are_a_sample_without_repetition():
    found = rows(load_dataset("tiny-photos"))
    index = np.concatenate([row.index for row in found])
    assert len(np.unique(index)) == len(index) == 75


@pytest.mark.parametrize("name", ["tiny", "tiny-photos"])
def test_picture_is_written(name, tmp_path):
    path = draw_contact_sheet(load_dataset(name), tmp_path / "sheet.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_picture_is_no_other_than_a_png(tmp_path):
    with pytest.raises(UsageError, match=r"sheet\.jpg: a contact sheet is a PNG; use .*\.png"):
        draw_contact_sheet(load_dataset("tiny"), tmp_path / "sheet.jpg")
