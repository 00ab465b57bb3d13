"""Tables of papers: their numbers, and what conflicts among them."""

import re
from statistics import mean, stdev

import pytest

from disentangle.score_tables.published import conflicts, known_papers, number, papers_on

SPREAD = r"(\d*\.\d+)( ± \d*\.\d+)?"


def table(source, dataset):
    return next(paper for paper in papers_on(dataset) if paper.source.startswith(source))


def row(paper, model):
    return next(row.scores for row in paper.rows if row.model == model)


def notes(source, dataset):
    return " ".join(conflicts(table(source, dataset), dataset, known_papers()))


@pytest.mark.parametrize(
    ("source", "dataset", "model", "score", "printed"),
    [
        ("FDAE", "shapes3d", "FDAE", "DCI", ".917 ± .038"),
        ("FDAE", "mpi3d-complex", "VCT", "FactorVAE score", ".779 ± .058"),
        ("FDAE", "mpi3d-toy", "VCT", "FactorVAE score", ".689 ± .035"),
        ("FDAE", "cars3d", "DiffAE", "MIG", ".023 ± .027"),
        ("DyGA", "mpi3d-toy", "EncDiff", "DCI", "0.685 ± 0.044"),
        ("DyGA", "celeba", "DyGA", "TAD", "0.954 ± 0.024"),
        ("Soft-TPR", "mpi3d-real", "Ada-GVAE-k", "MIG", ".213 ± .064"),
        ("Soft-TPR", "cars3d", "Shu", "beta-VAE score", ".912 ± .022"),
        ("Schott", "dsprites", "PCL", "R2, extrapolation (%)", "66.7"),
    ],
)
def test_values_are_those_that_are_printed(source, dataset, model, score, printed):
    assert row(table(source, dataset), model)[score] == printed


def test_every_value_is_a_number_with_a_spread_or_none():
    recent = [paper for paper in known_papers() if paper.named]
    assert len(recent) == 17
    for paper in recent:
        for each in paper.rows:
            assert set(each.scores) == set(paper.scores)
            assert all(not v or re.fullmatch(SPREAD, v) for v in each.scores.values())


@pytest.mark.parametrize("dataset", ["cars3d", "shapes3d", "mpi3d-real"])
def test_first_row_of_repeated_runs_is_their_mean(dataset):
    paper = table("Runs of VCT", dataset)
    first, *runs = [each.scores for each in paper.rows]
    for score, text in first.items():
        values = [number(run[score]) for run in runs]
        centre, spread = map(float, text.split(" ± "))
        assert centre == pytest.approx(mean(values), abs=1e-3)
        assert spread == pytest.approx(stdev(values), abs=1e-3)


def test_misprint_is_a_conflict_on_both_sides():
    assert "Other values of FDAE on cars3d in 'DyGA" in notes("FDAE", "cars3d")
    assert "DCI 0.232 ± 0.418 here, .418 ± .036 there" in notes("DyGA", "cars3d")
    assert "two cells were run together" in table("DyGA", "cars3d").sheet("cars3d").caption


def test_quoted_value_and_repeated_runs_are_a_conflict():
    assert "DCI .475 here, 0.611 ± 0.039 there" in notes("Soft-TPR", "mpi3d-real")


def test_same_values_under_another_dataset_are_a_conflict():
    text = notes("DyGA", "mpi3d-toy")
    assert "DisCo-GAN and DisDiff-VQ stand in 'FDAE" in text
    assert "as those of 'MPI3D-real'" in text
    assert "Mpi3D-toy" in notes("FDAE", "mpi3d-real")


def test_caption_names_the_dataset_as_the_paper_and_its_code_do():
    caption = table("FDAE", "mpi3d-real").sheet("mpi3d-real").caption
    assert "Dataset: 'MPI3D-real'; the file opened is mpi3d_toy.npz" in caption
    assert "10 seeds." in caption


def test_papers_that_agree_have_no_conflict():
    assert notes("Higgins", "dsprites") == ""
