"""The factor view: which images it takes from a grid, and what it says of their latents."""

import re
from math import prod

import numpy as np
import pytest
import torch
from helpers.browsers import EVIL
from helpers.figure_checks import opened

from disentangle.contracts.dataset import Dataset, Grid, Labelled
from disentangle.figures.latents import measure_latents
from disentangle.reports import factor_section, pages
from disentangle.reports.factor_section import factor_view, thinned, value_counts
from disentangle.runs.run import Run
from disentangle.training.train import train


class Some(Labelled):
    """The first images of a grid: labelled, but not of every combination."""

    def __init__(self, grid, count):
        self.grid, self.count = grid, count
        self.every_factor, self.image_shape = grid.every_factor, grid.image_shape
        self.fingerprint, self.source = grid.fingerprint, grid.source

    def __len__(self):
        return self.count

    def images(self, index):
        return self.grid.images(self._index(index))

    def every_label(self, index):
        return self.grid.every_label(self._index(index))


class Photos(Dataset):
    """The images of a grid, of which nothing is known."""

    def __init__(self, grid):
        self.grid, self.image_shape = grid, grid.image_shape
        self.fingerprint, self.source = grid.fingerprint, grid.source

    def __len__(self):
        return len(self.grid)

    def images(self, index):
        return self.grid.images(self._index(index))


class Noise(Grid):
    """Images that do not compress, with a hostile factor."""

    image_shape = (1, 64, 64)
    source = "drawn"
    fingerprint = "0" * 64

    def __init__(self, **axes):
        super().__init__(axes or {EVIL: 20, "other": 20})

    def images(self, index):
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (len(self), 1, 64, 64), dtype=np.uint8)
        return torch.from_numpy(pixels[self._index(index)])


def view_of(run):
    return factor_view(run, measure_latents(run))


@pytest.fixture
def held_out(strangers, tmp_path):
    """A function that trains on what is left when some images are held out."""
    options = {"steps": 2, "batch_size": 8, "device": "cpu", "figures": False}
    return lambda spec: train("vae", "tiny", hold_out=[spec], results=tmp_path, **options)


@pytest.mark.parametrize(
    ("sizes", "most", "expected"),
    [
        ([1, 3, 5, 5], 1000, [1, 3, 5, 5]),
        ([3, 6, 40, 32, 32], 1000, [3, 3, 5, 5, 4]),
        ([183, 24, 4], 500, [15, 8, 4]),
        ([2] * 12, 1000, [2] * 9 + [1] * 3),
        ([7, 7], 1, [1, 1]),
    ],
)
def test_large_factors_have_more_values_and_all_combinations_are_few(sizes, most, expected):
    counts = value_counts(sizes, most)
    assert counts == expected
    assert prod(counts) <= most


def test_values_are_the_middles_of_equal_intervals():
    part = thinned(Noise(angle=40, fixed=1, side=3), 12)
    assert [values.tolist() for values in part.chosen] == [[5, 15, 25, 35], [0], [0, 1, 2]]


def test_codes_are_those_of_the_images_in_the_order_of_the_sliders(run):
    view, order = view_of(run), measure_latents(run).order
    codes = run.encode(run.dataset.images(np.arange(75)))[:, order]
    assert np.allclose(view["data"]["codes"], codes, atol=5.1e-4)
    assert [latent["name"] for latent in view["data"]["latents"]] == [f"z{d}" for d in order]
    assert [(f["name"], f["shown"]) for f in view["factors"]] == [
        ("side", "all 3 values"),
        ("x", "all 5 values"),
        ("y", "all 5 values"),
    ]
    assert (view["count"], view["size"], view["untrained"], view["fixed"]) == (75, 75, 0, [])


def test_sheet_holds_the_images_row_by_row(run):
    view = view_of(run)
    sheet = opened(view["sheet"])[..., 0]
    assert (view["rows"], view["columns"]) == (9, 9)
    cells = sheet.reshape(9, 66, 9, 66).transpose(0, 2, 1, 3).reshape(81, 66, 66)[:, 1:-1, 1:-1]
    images = run.dataset.images(np.arange(75))[:, 0].numpy()
    assert np.abs(cells[:75].astype(int) - images).mean() < 3
    assert cells[75:].max() < 10


def test_matrix_is_the_mean_range_of_a_latent_over_one_factor(run):
    latents = measure_latents(run)
    codes = run.encode(run.dataset.images(np.arange(75))).double().numpy()
    labels = run.dataset.labels(np.arange(75))
    rows = view_of(run)["matrix"]["rows"]
    for d, row in zip(latents.order, rows, strict=True):
        for k in range(3):
            others = np.delete(labels, k, 1)
            ranges = [
                np.ptp(codes[(others == rest).all(1), d]) for rest in np.unique(others, axis=0)
            ]
            assert float(row["cells"][k]["text"]) == pytest.approx(np.mean(ranges), abs=0.00501)
    assert [row["name"] for row in rows] == [f"z{d}" for d in latents.order]


def test_a_share_that_was_held_out_is_marked_in_the_whole_grid(held_out):
    held = held_out("0.2")
    view = view_of(held)
    outside = sorted(set(range(75)) - set(held.dataset.origin(np.arange(len(held.dataset)))))
    assert len(outside) == 15
    assert view["data"]["untrained"] == outside
    text = " ".join(re.sub("<[^>]*>", " ", pages.run_page(held)).split())
    assert "15 of the images shown were not trained on (split train, held out 0.2, by" in text


def test_a_view_that_is_a_grid_is_shown_alone(held_out):
    held = held_out("x=4")
    view = view_of(held)
    assert (view["size"], view["untrained"]) == (60, 0)
    assert view["factors"][1]["names"] == ["0", "1", "2", "3"]
    codes = held.encode(held.dataset.images(np.arange(60)))[:, measure_latents(held).order]
    assert np.allclose(view["data"]["codes"], codes, atol=5.1e-4)


def test_images_that_are_no_grid_are_left_out_with_the_reason(run):
    some = Run(run.path, run.record, Some(run.dataset, 70))
    assert view_of(some)["why"].endswith(
        "an image of every combination of factor values, and tiny lacks some."
    )
    page = pages.run_page(some)
    assert "tiny lacks some" in page
    assert 'id="factor-data"' not in page


def test_images_without_factors_have_no_section(run):
    plain = Run(run.path, run.record, Photos(run.dataset))
    assert view_of(plain) is None
    assert "Move the factors" not in pages.run_page(plain)


def test_heavy_images_are_fewer(run, monkeypatch):
    monkeypatch.setattr(factor_section, "BYTES", 100_000)
    view = view_of(Run(run.path, run.record, Noise()))
    assert view["factors"][0]["shown"] == view["factors"][1]["shown"]
    assert 4 <= view["count"] < 100
    assert 50_000 < len(view["sheet"]) * 3 / 4 < 150_000


def test_a_factor_with_one_value_shown_is_said_to_be_held(run, monkeypatch):
    monkeypatch.setattr(factor_section, "MOST", 4)
    view = view_of(run)
    assert view["fixed"] == ["side = 1"]
    assert [factor["names"] for factor in view["factors"]] == [["1", "3"], ["1", "3"]]


def test_latents_that_are_not_numbers_are_said_to_be_none(run, monkeypatch):
    encode = run.encode
    monkeypatch.setattr(run, "encode", lambda x: encode(x) * torch.tensor([torch.nan] + [1.0] * 9))
    view, row = view_of(run), measure_latents(run).order.index(0)
    assert all(code[row] is None for code in view["data"]["codes"])
    assert {cell["text"] for cell in view["matrix"]["rows"][row]["cells"]} == {"n/a"}


def test_a_hostile_factor_is_only_a_name(run):
    page = pages.run_page(Run(run.path, run.record, Noise()))
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page
