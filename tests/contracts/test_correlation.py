"""Correlated factors: their weights, how images are drawn by them, and their grammar."""

from itertools import product
from math import exp, prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from disentangle.contracts.correlation import lines_of
from disentangle.contracts.correlation_settings import files, settings_of
from disentangle.contracts.dataset import Dataset, Grid, Labelled
from disentangle.errors import UsageError
from disentangle_plugins.datasets import chairs_parametric, dsprites, mpi3d, shapes3d

SHAPES3D = {
    "floor_hue": 3,
    "wall_hue": 5,
    "object_hue": 2,
    "scale": 4,
    "shape": 3,
    "orientation": 2,
}
MPI3D = {
    "object_color": 3,
    "object_shape": 4,
    "object_size": 2,
    "camera_height": 3,
    "background_color": 2,
    "horizontal_axis": 5,
    "vertical_axis": 3,
}
DSPRITES = {"color": 1, "shape": 3, "scale": 4, "orientation": 5, "position_x": 6, "position_y": 3}
CARS3D = {"identity": 5, "azimuth": 4, "elevation": 3}
CHAIRS = {"legs": 4, "style": 3, "width": 5, "height": 3, "elevation": 2, "azimuth": 6}
FACTORS = {
    "shapes3d": SHAPES3D,
    "mpi3d-toy": MPI3D,
    "mpi3d-realistic": MPI3D,
    "mpi3d-real": MPI3D,
    "mpi3d-complex": MPI3D,
    "dsprites": DSPRITES,
    "cars3d": CARS3D,
    "chairs-parametric": CHAIRS,
}
"""The factors of the datasets that have settings, with fewer values."""


class Numbers(Grid):
    """A grid whose images say their own index."""

    image_shape = (1, 1, 1)
    fingerprint = source = name = "numbers"

    def images(self, index):
        return torch.from_numpy(self._index(index).astype(np.uint8))[:, None, None, None]


class Bare(Dataset):
    image_shape = (1, 1, 1)
    fingerprint = source = name = "bare"

    def __len__(self):
        return 10

    def images(self, index):
        return torch.zeros((len(index), 1, 1, 1), dtype=torch.uint8)


def grid(name="numbers", factors=None):
    made = Numbers(factors or {"shape": 3, "scale": 4, "x": 5, "constant": 1})
    made.name = name
    return made


def formula(sizes, pairs):
    """The chance of each cell by the definition, one cell at a time; pairs (first, second, sigma).

    A factor of a pair may be a function of all values.
    """
    cells = []
    for cell in product(*map(range, sizes.values())):
        c = {k: v / (n - 1) for (k, n), v in zip(sizes.items(), cell, strict=True) if n > 1}
        distances = [
            ((a(c) if callable(a) else c[a]) - (b(c) if callable(b) else c[b]), sigma)
            for a, b, sigma in pairs
        ]
        cells.append(prod(exp(-(d**2) / (2 * sigma**2)) for d, sigma in distances))
    return np.array(cells) / sum(cells)


def named(first, second, *sigmas):
    """The pairs of a named setting at each width; `first` and `second` are lists of factors."""
    return {sigma: [(a, b, sigma) for a, b in zip(first, second, strict=True)] for sigma in sigmas}


def to_all(factor, sizes, sigma):
    others = [name for name, size in sizes.items() if size > 1 and name != factor]
    return {sigma: [(factor, other, sigma) for other in others]}


def published_mpi3d():
    one = ("object_color", "object_shape", "object_size", "camera_height", "background_color")
    color, shape, size, camera, background = one
    x, y = "horizontal_axis", "vertical_axis"
    return {
        "pair-1": named([camera], [background], 0.1),
        "pair-2": named([color], [size], 0.1),
        "pair-3": named([x], [y], 0.1),
        "two-pairs-1": named([color, x], [shape, y], 0.4, 0.1, 0.04),
        "two-pairs-2": named([color, shape], [x, y], 0.4, 0.1, 0.04),
        "three-pairs-1": named([color, camera, shape], [background, x, y], 0.1),
        "three-pairs-2": named([color, x, background], [shape, y, camera], 0.1),
        "confounder-1": to_all(shape, MPI3D, 0.2),
        "confounder-2": to_all(x, MPI3D, 0.2),
        "traeuble-c": named([x], [y], 0.2, 0.4, 0.7),
    }


PUBLISHED = {
    "shapes3d": {
        "pair-1": named(["floor_hue"], ["wall_hue"], 0.1),
        "pair-2": named(["shape"], ["scale"], 0.1),
        "pair-3": named(["shape"], ["wall_hue"], 0.1),
        "pair-4": named(["shape"], ["object_hue"], 0.1),
        "two-pairs-1": named(["scale", "shape"], ["floor_hue", "wall_hue"], 0.4, 0.1, 0.04),
        "two-pairs-2": named(["scale", "floor_hue"], ["shape", "wall_hue"], 0.4, 0.1, 0.04),
        "two-pairs-3": named(["shape", "shape"], ["object_hue", "scale"], 0.1),
        "three-pairs-1": named(
            ["scale", "shape", "object_hue"], ["orientation", "wall_hue", "floor_hue"], 0.1
        ),
        "three-pairs-2": named(
            ["object_hue", "shape", "floor_hue"], ["orientation", "scale", "wall_hue"], 0.1
        ),
        "confounder-1": to_all("shape", SHAPES3D, 0.2),
        "confounder-2": to_all("wall_hue", SHAPES3D, 0.2),
        "traeuble-a": named(["scale"], ["orientation"], 0.2, 0.4, 0.7),
        "traeuble-d": named(["object_hue"], ["scale"], 0.2, 0.4, 0.7),
        "traeuble-e": named(["object_hue"], ["orientation"], 0.2, 0.4, 0.7),
    },
    "mpi3d-toy": published_mpi3d(),
    "mpi3d-realistic": published_mpi3d(),
    "mpi3d-real": published_mpi3d(),
    "mpi3d-complex": published_mpi3d(),
    "dsprites": {
        "pair-1": named(["shape"], ["scale"], 0.1),
        "pair-2": named(["position_x"], ["position_y"], 0.1),
        "pair-3": named(["shape"], ["position_y"], 0.1),
        "two-pairs-1": named(["shape", "scale"], ["position_x", "position_y"], 0.4, 0.1, 0.04),
        "two-pairs-2": named(["shape", "position_x"], ["scale", "position_y"], 0.4, 0.1, 0.04),
        "confounder-1": to_all("shape", DSPRITES, 0.2),
        "confounder-2": to_all("position_x", DSPRITES, 0.2),
        "traeuble-b": named(["orientation"], ["position_x"], 0.2, 0.4, 0.7),
    },
    "cars3d": {
        "pair-1": named(["elevation"], ["azimuth"], 0.2, 0.1),
        "pair-2": named(["elevation"], ["identity"], 0.2, 0.1),
        "pair-3": named(["azimuth"], ["identity"], 0.2, 0.1),
        "confounder-1": to_all("elevation", CARS3D, 0.2),
        "confounder-2": to_all("azimuth", CARS3D, 0.2),
        "confounder-3": to_all("identity", CARS3D, 0.2),
    },
    "chairs-parametric": {
        "pair-1": named(["width"], ["height"], 0.1),
        "pair-2": named(["style"], ["height"], 0.1),
        "pair-3": named(["legs"], ["azimuth"], 0.1),
        "two-pairs-1": named(["width", "legs"], ["height", "azimuth"], 0.4, 0.1, 0.04),
        "two-pairs-2": named(["style", "height"], ["width", "elevation"], 0.4, 0.1, 0.04),
        "three-pairs-1": named(["width", "legs", "style"], ["height", "azimuth", "elevation"], 0.1),
        "confounder-1": to_all("width", CHAIRS, 0.2),
        "confounder-2": to_all("azimuth", CHAIRS, 0.2),
    },
}


def test_factors_are_those_of_the_datasets():
    assert tuple(SHAPES3D) == shapes3d.FACTORS
    assert tuple(MPI3D) == tuple(mpi3d.FACTORS) == tuple(mpi3d.COMPLEX)
    assert tuple(DSPRITES) == tuple(dsprites.AXES)
    assert tuple(CHAIRS) == tuple(chairs_parametric.AXES)


def test_every_dataset_with_settings_is_checked():
    assert {name for file in files().values() for name in file.datasets} == PUBLISHED.keys()


@pytest.mark.parametrize("dataset", PUBLISHED)
def test_settings_are_those_of_the_paper(dataset):
    source, settings = settings_of(dataset)
    assert source
    assert {name: set(one.sigma) for name, one in settings.items()} == {
        name: set(widths) for name, widths in PUBLISHED[dataset].items()
    }


@pytest.mark.parametrize(
    ("dataset", "setting"), [(name, setting) for name in PUBLISHED for setting in PUBLISHED[name]]
)
def test_weights_of_a_setting_are_the_formula(dataset, setting):
    sizes = FACTORS[dataset]
    widths = PUBLISHED[dataset][setting]
    for sigma, pairs in widths.items():
        spec = f"{setting}={sigma}" if len(widths) > 1 else setting
        weights = grid(dataset, sizes).view(correlate=spec).chances
        np.testing.assert_allclose(weights, formula(sizes, pairs), rtol=1e-9, atol=1e-300)


SIZES = dict(grid().every_factor)


@pytest.mark.parametrize(
    ("specs", "pairs"),
    [
        (["shape,scale=0.3"], [("shape", "scale", 0.3)]),
        ([" scale , shape = 3e-1 "], [("shape", "scale", 0.3)]),
        (["shape,-scale=0.3"], [("shape", lambda c: 1 - c["scale"], 0.3)]),
        (["-shape,scale=0.3"], [("shape", lambda c: 1 - c["scale"], 0.3)]),
        (["-shape,-scale=0.3"], [("shape", "scale", 0.3)]),
        (["shape,scale+0.25=0.3"], [("shape", lambda c: c["scale"] + 0.25, 0.3)]),
        (["shape,scale - .5=0.3"], [("shape", lambda c: c["scale"] - 0.5, 0.3)]),
        (["shape,-scale+0.25=0.3"], [("shape", lambda c: 1 - c["scale"] + 0.25, 0.3)]),
        (["shape+0.25,scale=0.3"], [(lambda c: c["shape"] + 0.25, "scale", 0.3)]),
        (["shape,*=0.3"], [("shape", "scale", 0.3), ("shape", "x", 0.3)]),
        (["x,-*=0.3"], [("x", lambda c, k=k: 1 - c[k], 0.3) for k in ("shape", "scale")]),
        (["shape,scale=0.3", "scale,x=0.1"], [("shape", "scale", 0.3), ("scale", "x", 0.1)]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value[0], str) else "",
)
def test_weights_are_the_product_of_the_pairs(specs, pairs):
    np.testing.assert_allclose(
        grid().view(correlate=specs).chances, formula(SIZES, pairs), rtol=1e-9
    )


def test_factors_may_be_named_like_a_term_of_the_grammar():
    sizes = {"pos-1": 3, "pos": 2, "-hue": 4}
    view = grid(factors=sizes).view(correlate=["pos-1,-hue=0.3"])
    np.testing.assert_allclose(view.chances, formula(sizes, [("pos-1", "-hue", 0.3)]))
    view = grid(factors=sizes).view(correlate=["-pos-1,pos-0.5=0.3"])
    pairs = [(lambda c: 1 - c["pos-1"], lambda c: c["pos"] - 0.5, 0.3)]
    np.testing.assert_allclose(view.chances, formula(sizes, pairs))


def test_record_holds_the_pairs_that_a_setting_stands_for():
    data = grid("shapes3d", SHAPES3D)
    view = data.view(correlate=["two-pairs-1=0.40", "object_hue,-orientation+.25=2e-1"])
    assert view.view_record == {
        "correlate": (
            "scale,floor_hue=0.4",
            "shape,wall_hue=0.4",
            "object_hue,-orientation+0.25=0.2",
        )
    }
    again = data.view(**view.view_record)
    assert again.view_record == view.view_record
    assert (again.chances == view.chances).all()
    confounder = data.view(correlate=["confounder-1"])
    assert confounder.view_record == {"correlate": ("shape,*=0.2",)}


def test_images_and_labels_stay_what_they_are():
    data = grid()
    view = data.view(correlate=["shape,scale=0.1"])
    index = np.arange(len(data))
    assert isinstance(view, Grid)
    assert view.whole is data
    assert (view.every_label(index) == data.every_label(index)).all()
    assert (view.origin(index) == index).all()
    assert (view.images(index) == data.images(index)).all()
    assert data.correlation == ()
    np.testing.assert_allclose(data.chances, 1 / 60)


def test_million_drawn_labels_follow_the_joint():
    sizes = {"shape": 4, "scale": 6, "x": 10}
    pairs = [("shape", "scale", 0.2), ("scale", "x", 0.4)]
    view = grid(factors=sizes).view(correlate=["shape,scale=0.2", "scale,x=0.4"])
    index = view.draw(1_000_000, np.random.default_rng(0))
    counts = np.bincount(index, minlength=len(view))
    expected = 1e6 * formula(sizes, pairs)
    common = expected > 5  # cells of fewer images have no chi-square distribution
    observed = [*counts[common], counts[~common].sum()]
    assert chisquare(observed, [*expected[common], expected[~common].sum()]).pvalue > 1e-3
    bound = 5 * np.sqrt(expected) + 5
    assert (abs(counts - expected) < bound).all()


def test_uncorrelated_images_are_drawn_as_they_always_were():
    drawn = grid().draw(20, np.random.default_rng(3))
    assert (drawn == np.random.default_rng(3).integers(0, 60, 20)).all()


def test_image_of_no_weight_is_never_drawn():
    view = grid(factors={"a": 3, "b": 3}).view(correlate=["a,b=0.00001"])
    assert view.chances.tolist() == pytest.approx([1 / 3, 0, 0, 0, 1 / 3, 0, 0, 0, 1 / 3])
    assert set(view.draw(2000, np.random.default_rng(0))) == {0, 4, 8}


def test_weights_of_the_images_that_remain_are_those_of_the_whole():
    data = grid()
    whole = data.view(correlate=["shape,scale=0.2"])
    for options in (
        {"hold_out": ["scale=3"]},
        {"hold_out": ["shape=0,x=1"]},
        {"hold_out": ["0.5"]},
    ):
        part = data.view(correlate=["shape,scale=0.2"], **options)
        kept = whole.chances[part.origin(np.arange(len(part)))]
        np.testing.assert_allclose(part.chances, kept / kept.sum())
        assert part.view_record["hold_out"] == tuple(options["hold_out"])
        later = whole.view(**options)
        assert later.view_record == part.view_record
        assert (later.chances == part.chances).all()


class Photos(Labelled):
    """Labelled images that are no grid: some combinations occur often, others never."""

    image_shape = (1, 1, 1)
    fingerprint = source = name = "photos"

    def __init__(self):
        self.every_factor = {"hat": 2, "age": 5}
        rng = np.random.default_rng(0)
        self.table = np.stack([rng.integers(0, 2, 40), rng.binomial(4, 0.3, 40)], 1)

    def __len__(self):
        return 40

    def images(self, index):
        return torch.zeros((len(index), 1, 1, 1), dtype=torch.uint8)

    def every_label(self, index):
        return self.table[index]


def test_images_that_are_no_grid_are_weighted_by_their_labels():
    photos = Photos()
    expected = np.array([exp(-((hat - age / 4) ** 2) / 0.18) for hat, age in photos.table])
    weights = photos.view(correlate=["hat,age=0.3"]).chances
    np.testing.assert_allclose(weights, expected / expected.sum())


@given(
    st.sampled_from(["", "-"]),
    st.floats(-0.99, 0.99),
    st.sampled_from(["scale", "x", "*"]),
    st.floats(1e-6, 1e6),
)
def test_recorded_pair_is_read_as_the_same_line(sign, shift, second, sigma):
    typed = f"{sign}shape,{sign}{second}{shift:+.12f}={sigma!r}"
    (text,), lines = lines_of([typed], SIZES, "numbers")
    assert lines_of([text], SIZES, "numbers") == ((text,), lines)
    assert all(line.sigma == sigma for line in lines)


def test_view_of_a_correlated_view_stays_correlated():
    view = grid().view(correlate=["shape,scale=0.2"])
    factors = view.view(factors=["x"])
    assert factors.view_record == {"correlate": ("shape,scale=0.2",), "factors": ("x",)}
    assert (factors.chances == view.chances).all()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("shape=0.2", r"--correlate shape=0.2: numbers has no named settings; give two factors"),
        ("shape,scale", r"expected two factors and a width, FACTOR,FACTOR=SIGMA"),
        ("shape,scale,x=0.2", r"expected two factors and a width"),
        (",scale=0.2", r"expected two factors and a width"),
        ("shape,skale=0.2", r"numbers has no factor 'skale'; did you mean 'scale'\?"),
        ("shape,scale+a=0.2", r"numbers has no factor 'scale\+a'; did you mean 'scale'\?"),
        ("*,shape=0.2", r"numbers has no factor '\*'"),
        ("shape,shape=0.2", r"expected two factors, got 'shape' twice"),
        ("shape,-shape=0.2", r"expected two factors, got 'shape' twice"),
        ("shape,constant=0.2", r"'constant' has one value in numbers"),
        ("shape,scale+1=0.2", r"expected a shift between -1 and 1, .* got 1"),
        ("shape,scale=0", r"expected a finite width above 0 .*; got '0'"),
        ("shape,scale=-0.1", r"expected a finite width above 0 .*; got '-0.1'"),
        ("shape,scale=inf", r"expected a finite width above 0 .*; got 'inf'"),
        ("shape,scale=nan", r"expected a finite width above 0 .*; got 'nan'"),
        ("shape,scale=1e-7", r"above 0 \(at least 0.000001\).*; got '1e-7'"),
        ("shape,scale=strong", r"expected a finite width above 0 .*; got 'strong'"),
    ],
    ids=str,
)
def test_pair_that_makes_no_sense_is_refused(spec, message):
    with pytest.raises(UsageError, match=message):
        grid().view(correlate=[spec])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pair-11", r"shapes3d has no setting 'pair-11'; did you mean 'pair-1'\?"),
        ("shape=0.2", r"no setting 'shape'; .* give two factors and a width, FACTOR,FACTOR=SIGMA"),
        ("two-pairs-1", r"two-pairs-1=0.4 or two-pairs-1=0.1 or two-pairs-1=0.04"),
        ("pair-1=0", r"--correlate floor_hue,wall_hue=0: expected a finite width"),
    ],
)
def test_setting_that_makes_no_sense_is_refused(spec, message):
    with pytest.raises(UsageError, match=message):
        grid("shapes3d", SHAPES3D).view(correlate=[spec])


def test_two_factors_are_a_pair_once():
    for specs in (["shape,scale=0.2", "scale,-shape=0.1"], ["x,*=0.2", "shape,x=0.2"]):
        with pytest.raises(UsageError, match="are correlated twice; give each pair once"):
            grid().view(correlate=specs)


def test_images_without_labels_and_correlated_views_have_nothing_to_correlate():
    with pytest.raises(UsageError, match="bare has no labels, so no factors to correlate"):
        Bare().view(correlate=["a,b=0.2"])
    view = grid().view(correlate=["shape,scale=0.2"])
    with pytest.raises(UsageError, match="already has correlated factors"):
        view.view(correlate=["shape,x=0.2"])


def strong(n=4):
    """A grid of two factors, correlated by a narrow line, and another factor."""
    made = Numbers({"a": n, "b": n, "c": 2})
    return made.view(correlate="a,b=0.3")


def test_different_images_are_drawn_by_their_chances():
    """Independent: an image is in a sample of n with the probability n p."""
    view, rng, n, draws = strong(), np.random.default_rng(0), 6, 4000
    drawn = [view.draw_distinct(n, rng) for _ in range(draws)]
    assert all(len(set(index)) == n for index in drawn)
    assert all((np.diff(index) > 0).all() for index in drawn)
    seen = np.bincount(np.concatenate(drawn), minlength=len(view)) / draws
    expected = n * view.chances
    assert expected.max() <= 1
    assert np.abs(seen - expected).max() < 5 * 0.5 / np.sqrt(draws)


def test_fewer_images_are_drawn_where_one_would_be_drawn_twice():
    view, rng = strong(), np.random.default_rng(0)
    most = int(1 / view.chances.max())
    assert 0 < most < len(view)
    for n in (most, most + 1, 10 * len(view)):
        assert len(view.draw_distinct(n, rng)) == most


def test_images_on_a_line_alone_are_all_drawn():
    view = Numbers({"a": 7, "b": 7}).view(correlate="a,b=0.000001")
    index = view.draw_distinct(100, np.random.default_rng(0))
    assert index.tolist() == [8 * i for i in range(7)]


def test_different_images_of_uncorrelated_factors_are_those_of_earlier_versions():
    index = grid().draw_distinct(7, np.random.default_rng(3))
    assert index.tolist() == np.sort(np.random.default_rng(3).permutation(60)[:7]).tolist()


@pytest.mark.parametrize("hold_out", [(), ("a=0,c=1",)], ids=["grid", "part"])
def test_image_with_the_same_value_is_drawn_by_its_chance(hold_out):
    view = Numbers({"a": 4, "b": 4, "c": 2}).view(hold_out=hold_out, correlate="a,b=0.3")
    labels = view.every_label(np.arange(len(view)))
    for factor, column in (("a", 0), ("c", 2)):
        first = int(np.flatnonzero(labels[:, column] == 1)[0])
        index = np.full(20_000, first)
        drawn = view.sharing(factor, index, np.random.default_rng(0))
        assert (labels[drawn, column] == 1).all()
        expected = np.where(labels[:, column] == 1, view.chances, 0)
        seen = np.bincount(drawn, minlength=len(view))[expected > 0]
        assert chisquare(seen, 20_000 * expected[expected > 0] / expected.sum()).pvalue > 1e-4


def test_image_drawn_by_chance_keeps_each_value():
    view = strong()
    index = np.arange(len(view)).repeat(50)
    for factor, column in (("a", 0), ("b", 1), ("c", 2)):
        drawn = view.sharing(factor, index, np.random.default_rng(1))
        assert (view.every_label(drawn) == view.every_label(index))[:, column].all()
