"""Figures in Python: matplotlib figures, which write files only when asked."""

import ast
import inspect
import re

import pytest
from helpers.figure_checks import check_type
from matplotlib.figure import Figure
from PIL import Image

from disentangle import figures
from disentangle.errors import DisentangleError, UsageError
from disentangle.figures.reconstructions import draw_reconstructions
from disentangle.scoring.score_runs import score

OF_ONE = {
    "plot_traversals": {"bases": ["first"], "columns": 3},
    "plot_reconstructions": {"count": 4},
    "plot_samples": {"count": 4},
    "plot_kl": {},
    "plot_matrices": {},
}


@pytest.mark.parametrize("name", [name for name in figures.__all__ if name.startswith("plot_")])
def test_documentation_has_every_argument_what_is_returned_and_a_call_that_fits(name):
    function = getattr(figures, name)
    text, signature = inspect.getdoc(function), inspect.signature(function)
    arguments = re.findall(r"^    (\w+): ", text.partition("Returns:")[0], re.MULTILINE)
    assert arguments == list(signature.parameters)
    assert "Returns:\n    The figure: " in text
    example = re.search(r"Example:\n    `(.+)`", text)[1]
    calls = [node for node in ast.walk(ast.parse(example)) if isinstance(node, ast.Call)]
    (call,) = [call for call in calls if getattr(call.func, "id", "") == name]
    signature.bind(*call.args, **{each.arg: each.value for each in call.keywords})


@pytest.mark.parametrize("name", OF_ONE)
def test_figures_of_a_run_are_matplotlibs_and_write_nothing(run, name):
    if name == "plot_matrices":
        score(run, ["mig"], device="cpu")
    before = sorted(run.path.rglob("*"))
    figure = getattr(figures, name)(run, **OF_ONE[name])
    assert isinstance(figure, Figure)
    assert check_type(figure, slanted=3 if name == "plot_matrices" else 0)
    assert sorted(run.path.rglob("*")) == before


def test_figures_over_runs_take_runs_or_their_folder(variant, tmp_path):
    values = [{"value": 0.1}, {"name": "sap", "metric": "sap", "value": 0.2}]
    runs = []
    for seed in range(4):
        changed = [{**v, "value": v["value"] * (seed + 1)} for v in values]
        runs.append(variant(f"r{seed}", seed=seed, values=changed, knobs={"beta": seed % 2 + 1.0}))
    for given in (runs, tmp_path / "variants"):
        for figure in (
            figures.plot_effect(given, "mig", of="beta"),
            figures.plot_agreement(given),
            figures.plot_variance(given),
        ):
            assert isinstance(figure, Figure)
            assert figure.about
    with pytest.raises(DisentangleError, match="no finished runs"):
        figures.plot_agreement(tmp_path / "nothing")


def test_rows_and_matched_latents_of_two_runs(run):
    figure = figures.plot_rows([run, run], ["side"], columns=3, caption=False)
    assert isinstance(figure, Figure)
    assert figure.about == f"runs {run.record.id}, {run.record.id}"
    assert figures.plot_rows([run], ["side"], columns=3).about == f"run {run.record.id}"
    with pytest.raises(DisentangleError, match="is active"):
        figures.plot_aligned(run, run)


def test_saved_figure_is_that_of_the_command(run, tmp_path):
    for suffix in ("png", "svg"):
        one = figures.plot_reconstructions(run, 4).save(tmp_path / f"one.{suffix}")
        two = draw_reconstructions(run, 4, tmp_path / f"two.{suffix}")
        if suffix == "png":
            assert one.read_bytes() == two.read_bytes()
            assert Image.open(one).text["Title"].startswith("images and their reconstructions")
    with pytest.raises(UsageError, match=r"expected a file name that ends with \.png"):
        figures.plot_reconstructions(run, 4).save(tmp_path / "three.bmp")


def test_notebook_without_matplotlibs_display_shows_a_png(run):
    content = figures.plot_samples(run, 4)._repr_png_()
    assert content.startswith(b"\x89PNG")


def test_contact_sheet(run):
    assert figures.plot_contact_sheet(run.dataset).shows == "contact sheet of tiny"
