"""Contact sheets: a row moves one factor and nothing else."""

import numpy as np
import pytest

from disentangle.contracts.dataset import Grid
from disentangle.contracts.value_texts import readable
from disentangle.data.loading import load_dataset
from disentangle.errors import UsageError
from disentangle.figures.contact_sheet import COLUMNS, draw_contact_sheet, find_rows
from disentangle.scoring.arrays import array_source

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
    assert [row.label.split("\n")[0] for row in found] == ["side", "x", "y"]  # one colour
    for column, row in enumerate(found, 1):
        assert len(row.index) == COLUMNS // row.size * row.size
        for first in range(0, len(row.index), row.size):  # one base image each
            labels = tiny.every_label(row.index[first : first + row.size])
            assert labels[:, column].tolist() == list(range(row.size))
            assert (np.delete(labels, column, 1) == np.delete(labels[:1], column, 1)).all()
        assert row.heads[: row.size] == [str(i) for i in range(row.size)]


def test_long_factor_shows_some_of_its_values_from_end_to_end():
    long = Long({"long": 40, "other": 2})
    values = long.every_label(rows(long)[0].index)[:, 0]
    assert len(values) == COLUMNS
    assert (values[0], values[-1]) == (0, 39)
    assert (np.diff(values) > 0).all()


def test_row_of_labelled_images_shows_examples_of_each_value():
    labelled = load_dataset("tiny").view(hold_out=["side=0,x=0", "side=1,x=3"])
    row = rows(labelled)[0]
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


@pytest.mark.parametrize(
    ("factor", "values", "said"),
    [
        ("orientation", ["0", "0.6444", "6.283"], ["0°", "37°", "360°"]),
        ("azimuth", ["0", "90", "270"], ["0", "90", "270"]),
        ("position_x", ["0", "0.09677", "1"], ["0", "0.097", "1"]),
        ("elevation", ["30.5", "60"], ["30.5", "60"]),
        ("shape", ["square", "heart"], ["square", "heart"]),
        ("size", [], []),
    ],
)
def test_values_are_short_and_angles_in_degrees(factor, values, said):
    assert readable(factor, values) == said


def test_factor_with_one_value_has_no_row_and_is_said():
    grid = Long({"one": 1, "two": 2})
    assert [row.label for row in rows(grid)] == ["two\n2 values"]


def labelled(columns, kinds):
    """A dataset of factors without images."""
    v = np.stack(list(columns.values()), 1)
    source = array_source(np.zeros((len(v), 1)), v, names=list(columns), kinds=kinds)
    return source.dataset


def test_real_numbers_are_shown_at_an_even_selection_of_their_range():
    height = np.random.default_rng(0).gamma(2, 1, 1000)
    dataset = labelled({"height": height}, {})
    (row,) = rows(dataset)
    assert row.label == "height\ncontinuous"
    even = np.linspace(height.min(), height.max(), COLUMNS)
    nearest = np.unique(np.abs(height[:, None] - even).argmin(0))
    assert sorted(row.index.tolist()) == sorted(nearest.tolist())
    assert row.heads[0] == f"{height.min():.2g}"
    assert (np.diff(height[row.index]) > 0).all()


def test_angles_are_in_degrees_and_the_end_of_the_circle_is_not_its_beginning_again():
    turns = np.random.default_rng(0).uniform(0, 2, 4000)
    (row,) = rows(labelled({"turn": turns}, {"turn": "cyclic=2"}))
    assert row.label == "turn\ncyclic"
    assert row.heads == [f"{30 * k}°" for k in range(COLUMNS)]


def test_values_of_a_view_are_those_of_the_dataset():
    grid = Long({"hue": 10, "size": 3})
    grid.kinds, grid.numbers = {"hue": "cyclic=10", "size": "ordinal"}, {"size": [0.5, 1, 2]}
    view = grid.view(hold_out=["hue<2", "size<1"])
    assert [sorted(set(row.heads)) for row in rows(view)] == [
        sorted(f"{36 * hue}°" for hue in range(2, 10)),
        ["1", "2"],
    ]
