"""Published splits: their images recomputed from the authors' conditions, and their names."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from disentangle.contracts import published_splits
from disentangle.contracts.dataset import Grid
from disentangle.contracts.published_splits import PublishedSplit, known_splits, splits_of
from disentangle.data.status import about
from disentangle.errors import UsageError
from disentangle_plugins.datasets import dsprites, mpi3d, shapes3d

AVAILABLE = [split for split in known_splits() if not split.unavailable]
PAIRS = [(split, split.datasets[0]) for split in AVAILABLE]
"""The versions of MPI3D are one grid."""


class Bare(Grid):
    """The labels and values of a dataset, without its images."""

    image_shape = (1, 1, 1)
    fingerprint = source = "bare"

    def images(self, index):
        return torch.zeros(len(self._index(index)), 1, 1, 1, dtype=torch.uint8)


SHAPES3D = (
    np.linspace(0, 1, 11)[:10],
    np.linspace(0, 1, 11)[:10],
    np.linspace(0, 1, 11)[:10],
    np.linspace(0.75, 1.25, 8),
    np.arange(4.0),
    np.linspace(-30, 30, 15),
)
"""The numbers in the labels of the published file, as its authors describe them."""


def bare(name):
    """A dataset with all labels that the published one has, and its values as they are listed."""
    if name == "dsprites":
        data = Bare(dsprites.AXES)
        data.values = dsprites.DSprites(None, "", "").values
    elif name == "shapes3d":
        sizes = map(len, SHAPES3D)
        data = Bare(dict(zip(shapes3d.FACTORS, sizes, strict=True)))
        listed = [[f"{v:.4g}" for v in values] for values in SHAPES3D]
        data.values = dict(zip(shapes3d.FACTORS, listed, strict=True))
    else:
        data = Bare(mpi3d.FACTORS)
        data.values = {factor: list(map(str, range(n))) for factor, n in mpi3d.FACTORS.items()}
    data.name = name
    return data


@cache
def columns(name):
    """The authors' values of each factor, in full precision, and the labels, by column."""
    data = bare(name)
    labels = data.every_label(np.arange(len(data)))
    if name == "dsprites":
        values = [v[c] for v, c in zip(dsprites.VALUES, labels.T, strict=True)]
        return values[1:], labels.T[1:]
    if name == "shapes3d":
        return [v[c] for v, c in zip(SHAPES3D, labels.T, strict=True)], labels.T
    return labels.T, labels.T


def published_parts(name, split):
    """Train and test masks of a split, by the conditions of the authors' code, datasplits.py."""
    v, c = columns(name)
    if name == "dsprites":
        shape, scale, angle, x, y = v
        if split == "montero-blank_side":
            return x < 0.5, x > 0.5
        if split == "montero-shape2tx":
            return (shape != 1) | (x < 0.5), (shape == 1) & (x > 0.5)
        low, high = 2 * np.pi / 3, 4 * np.pi / 3
        turned = (angle > 0) & (angle < high) & (angle > low)
        test = (c[0] == 1) & (scale > 0.6) & turned & (x > 0.66) & (y > 0.66)
    elif name == "shapes3d":
        floor, wall, thing, scale, shape, turn = v
        hues = (thing >= 0.8) & (wall >= 0.8) & (floor >= 0.8)
        test = {
            "montero-fhue_gt50": ~(floor < 0.5),
            "montero-ohue+whue2fhue": (thing >= 0.8) & (wall <= 0.2),
            "montero-shape2fhue": (shape == 3) & (floor >= 0.5),
            "montero-shape2ohue": (shape == 3) & (thing >= 0.5),
            "montero-leave1out": hues & (scale >= 1.1) & (shape == 1) & (turn > 20),
        }[split]
    else:
        colour, shape, size, height, back, x, y = v
        if split == "montero-horz_gt20":
            return x < 20, x > 20
        corner = (x > 35) & (y > 35)
        test = {
            "montero-objc_gt3": colour > 3,
            "montero-cyl2horz": (x < 20) & (shape == 2),
            "montero-objc2horz": (x < 20) & (colour == 2),
            "montero-leave1out": (colour == 5) & (shape == 2) & (size == 1) & (height == 1)
            & (back == 1) & corner,
        }[split]  # fmt: skip
    return ~test, test


@pytest.mark.parametrize(
    ("split", "dataset"), PAIRS, ids=[f"{name}-{split.name}" for split, name in PAIRS]
)
def test_split_has_the_images_of_the_authors_code(split, dataset):
    data = bare(dataset)
    for part, mask in zip(("train", "test"), published_parts(dataset, split.name), strict=True):
        view = data.view(split=f"{split.name}:{part}")
        assert (view.origin(np.arange(len(view))) == np.flatnonzero(mask)).all()
        assert len(view) == getattr(split, part)
        assert view.view_record == {
            "hold_out": split.hold_out,
            "hold_out_name": split.name,
            "split": part,
        }


def test_every_split_is_of_datasets_that_are_here_and_have_as_many_images():
    for split in AVAILABLE:
        for dataset in split.datasets:
            assert split.train + split.test <= about(dataset).images
    assert {name for split in known_splits() for name in split.datasets} == {
        "dsprites", "shapes3d", "mpi3d-toy", "mpi3d-realistic", "mpi3d-real",
    }  # fmt: skip


def test_page_of_the_datasets_has_every_split_with_its_number_of_test_images():
    lines = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text().splitlines()
    for split in AVAILABLE:
        rows = [line for line in lines if line.startswith("|") and f"`{split.name}`" in line]
        assert any(f"| {split.test:,}" in row for row in rows), split.name


def test_value_1_of_dsprites_is_the_square_and_class_1_the_ellipse():
    data = bare("dsprites")
    for name, shape in (("montero-shape2tx", "square"), ("montero-leave1out", "ellipse")):
        view = data.view(split=f"{name}:test")
        assert view.values["shape"] == [shape]


def test_position_20_of_mpi3d_is_in_neither_part():
    data = bare("mpi3d-toy")
    parts = [data.view(split=f"montero-horz_gt20:{part}") for part in ("train", "test")]
    positions = [view.values["horizontal_axis"] for view in parts]
    assert positions == [list(map(str, range(20))), list(map(str, range(21, 40)))]
    assert len(data.view(split="montero-horz_gt20:all")) == len(data)


def test_name_alone_is_the_part_to_train_on_in_any_case():
    data = bare("dsprites")
    record = data.view(split="montero-shape2tx").view_record
    assert record["split"] == "train"
    assert data.view(split="Montero-Shape2TX").view_record == record


def test_view_reopens_from_its_record_after_the_file_was_edited(monkeypatch):
    data = bare("dsprites")
    view = data.view(split="montero-shape2tx:test", factors=["scale"])
    monkeypatch.setattr(published_splits, "known_splits", lambda: ())
    again = data.view(**view.view_record)
    assert again.view_record == view.view_record
    assert (again.origin(np.arange(len(again))) == view.origin(np.arange(len(view)))).all()


@pytest.mark.parametrize(
    ("dataset", "split", "message"),
    [
        ("dsprites", "montero-shape2t", "no split .*; did you mean 'montero-shape2tx'"),
        (
            "dsprites",
            "train",
            "dsprites has no split 'train'; its splits are all, montero-blank_side, "
            "montero-shape2tx, montero-leave1out$",
        ),
        (
            "dsprites",
            "montero-fhue_gt50",
            "'montero-fhue_gt50' is a split of shapes3d, not of dsprites; published splits of "
            "dsprites: montero-blank_side, ",
        ),
        (
            "dsprites",
            "montero-horz_gt20",
            "is a split of mpi3d-toy, mpi3d-realistic and mpi3d-real, not of dsprites",
        ),
        ("dsprites", "montero-shape2tx:valid", "expected one of montero-shape2tx:train, .*got"),
        ("dsprites", "schott-extrapolation", "'schott-extrapolation' is unavailable: the code of"),
    ],
)  # fmt: skip
def test_name_that_is_no_split_of_the_dataset_is_refused(dataset, split, message):
    with pytest.raises(UsageError, match=message):
        bare(dataset).view(split=split)


def test_split_of_another_dataset_is_refused_where_there_is_none():
    data = Bare({"a": 2})
    data.name = "mine"
    with pytest.raises(UsageError, match=r"not of mine; published splits of mine: none"):
        data.view(split="montero-shape2tx")


def test_split_is_not_made_of_a_copy_with_other_images():
    data = Bare({**mpi3d.FACTORS, "vertical_axis": 20})
    data.name = "mpi3d-toy"
    with pytest.raises(UsageError, match=r"691,200 training .* this copy .* 345,600 and 172,800"):
        data.view(split="montero-objc_gt3")


def test_split_and_hold_out_are_not_combined():
    with pytest.raises(UsageError, match="with --hold-out, expected --split train, test or all"):
        bare("dsprites").view(split="montero-shape2tx", hold_out=["0.2"])


def test_own_split_comes_before_a_published_one(monkeypatch):
    class Parted(Bare):
        @property
        def splits(self):
            return {"all": np.arange(2), "ours": np.arange(1)}

    shared = {"name": "ours", "datasets": ("mine",), "source": "", "link": "", "named": ""}
    split = PublishedSplit(**shared, about="", sizes="", hold_out=("a=1",), train=1, test=1)
    monkeypatch.setattr(published_splits, "known_splits", lambda: (split,))
    data = Parted({"a": 2})
    data.name = "mine"
    assert data.view(split="ours").view_record == {"split": "ours"}
    assert splits_of("mine") == {"ours": split}
