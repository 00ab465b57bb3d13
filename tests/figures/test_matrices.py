"""Latent-by-factor matrices: which are found, what stands in them, what is said where none is."""

import numpy as np
import pytest
from helpers.figure_checks import check_contrast, check_type
from matplotlib.colors import to_rgb

from disentangle.errors import DisentangleError, UsageError
from disentangle.figures import canvas, matrices
from disentangle.figures.latents import Latents
from disentangle.runs.score_records import DetailRecord
from disentangle.scoring.score_runs import score


def details(**values):
    return {
        name.replace("_", "/"): DetailRecord(axes=("latent", "factor"), values=v)
        for name, v in values.items()
    }


SMALL = [[0.0, 0.1], [0.2, None], [-2.0, 1.0]]
LATENTS = Latents([2, 0, 1], ["KL 3.00", "KL 1.00", "KL 0.00"], [1, 1, 0], ["", "", "inactive"])


def test_the_usual_matrices_are_taken_as_far_as_they_are_there(variant):
    scored = variant(
        "a", values=[{"factors": ("side", "x"), "detail": details(mig_information=SMALL)}]
    )
    (one,) = matrices.find_matrices(scored)
    assert one.name == "mig/information"
    assert one.factors == ("side", "x")
    np.testing.assert_array_equal(one.values, np.array(SMALL, float))


def test_means_come_before_samples_and_what_is_unusual_is_told(variant):
    def of(kind, representation, **changes):
        detail = details(mig_information=[[kind]])
        return {"factors": ("x",), "detail": detail, "representation": representation, **changes}

    both = variant("b", values=[of(1.0, "sample"), of(2.0, "mean"), of(3.0, "mean", seed=1)])
    (one,) = matrices.find_matrices(both)
    assert one.values == [[2.0]]
    assert one.name == "mig/information"
    late = variant("c", values=[of(1.0, "sample", seed=2, knobs={"bins": 40})])
    (one,) = matrices.find_matrices(late)
    assert one.name == "mig/information (bins=40; sample representation; seed 2)"


def test_figure_says_what_a_value_is_and_shows_whole_numbers_whole(run):
    votes = matrices.Matrix("d", ("side", "x"), np.array([[1659.0, 0], [3, 1], [0, 2]]), "votes")
    drawn = matrices.make_canvas(run, [votes], LATENTS)
    assert drawn.caption == "d: votes.\nGrey: inactive latents."
    axes, _ = drawn.figure.axes
    assert [text.get_text() for text in axes.texts] == ["0", "2", "1659", "0", "3", "1"]
    check_type(drawn.figure, slanted=2)


def test_rows_are_latents_in_their_order_with_numbers_and_shades(run, monkeypatch):
    values = np.array(SMALL, float)
    drawn = matrices.make_canvas(run, [matrices.Matrix("d", ("side", "x"), values)], LATENTS)
    axes, bar = drawn.figure.axes
    assert bar.collections[0].get_clim() == (0, 1)
    numbers = [text.get_text() for text in axes.texts]
    assert numbers == ["-2.00", "1.00", "0.00", "0.10", "0.20", "n/a"]
    shades = np.asarray(axes.collections[0].get_array()).ravel().tolist()
    assert shades == [2, 1, 0, 0.1, 0.2, 0]
    assert axes.collections[0].get_clim() == (0, 2)
    check_contrast(drawn.figure)
    said = check_type(drawn.figure, slanted=2)
    assert {"side", "x", "d", "z2  KL 3.00", "Grey: inactive latents."} <= set(said)
    assert {"0", "2.00"} <= set(said)  # the ends of the colour bar
    assert drawn.figure.get_figwidth() == canvas.COLUMN
    grey = [to_rgb(label.get_color())[0] > 0 for label in axes.get_yticklabels()]
    assert grey == [False, False, True]


def test_numbers_stand_out_from_their_shades(run):
    values = np.linspace(0, 1, 66).reshape(3, 22)
    factors = tuple(f"factor {k}" for k in range(22))
    drawn = matrices.make_canvas(run, [matrices.Matrix("d", factors, values)], LATENTS)
    axes, _ = drawn.figure.axes
    (mesh,) = axes.collections
    cells = mesh.cmap(mesh.norm(values[LATENTS.order])).reshape(-1, 4)
    for text, cell in zip(axes.texts, cells, strict=True):
        ink = (np.mean(to_rgb(text.get_color())) ** 2.2, np.mean(cell[:3]) ** 2.2)
        assert (max(ink) + 0.05) / (min(ink) + 0.05) > 4  # the contrast of WCAG


def test_several_matrices_share_the_page_and_no_type_overlaps(run):
    made = [matrices.Matrix(name, ("orientation", "position_x"), np.ones((3, 2))) for name in "abc"]
    drawn = matrices.make_canvas(run, made, LATENTS)
    assert len(drawn.figure.axes) == 2 * 3  # each with its colour bar
    assert canvas.COLUMN < drawn.figure.get_figwidth() <= canvas.PAGE
    check_type(drawn.figure, slanted=6)


def test_without_a_detail_the_message_says_which_score_to_run(run):
    with pytest.raises(DisentangleError, match=r"Run `disentangle score .*` first\."):
        matrices.draw_matrices(run)
    score(run, ["mig"])
    with pytest.raises(DisentangleError, match=r"no 'sap/accuracy'.* score .*run --metric sap"):
        matrices.draw_matrices(run, ["sap/accuracy"])
    with pytest.raises(DisentangleError, match="did you mean 'mig/information'"):
        matrices.draw_matrices(run, ["mig/informaton"])


def test_all_that_a_run_has_is_drawn_unless_named(variant):
    other = variant("d", values=[{"factors": ("x",), "detail": details(sap_accuracy=[[1.0]])}])
    assert [matrix.name for matrix in matrices.find_matrices(other)] == ["sap/accuracy"]


def test_a_detail_by_factor_only_is_no_matrix(run):
    score(run, ["mig"])
    expected = "--detail mig/gaps: expected a matrix by latent and factor, got values by factor"
    with pytest.raises(UsageError, match=expected):
        matrices.draw_matrices(run, ["mig/gaps"])


def test_command_draws_the_details_that_are_named(run, command, tmp_path):
    score(run, ["mig", "sap"])
    path = tmp_path / "both.svg"
    words = ("--detail", "sap/accuracy", "--detail", "mig/information", "--output", path)
    code, out, err = command("figure", "matrices", run.path, *words)
    assert (code, out.strip()) == (0, str(path)), err
    svg = path.read_text()
    assert svg.index("sap/accuracy") < svg.index("mig/information")


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.004, "0.00"), (-0.004, "0.00"), (9.99, "9.99"), (10, "10.0"), (123, "123")],
)
def test_numbers_fit_their_cells(value, said):
    assert matrices.number(value) == said
