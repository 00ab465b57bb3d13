"""The figure of a score on held-out images against that on images trained on."""

import re

import numpy as np
import pytest
from helpers.figure_checks import check_contrast
from PIL import Image

from disentangle.errors import DisentangleError, UsageError
from disentangle.figures.shift import draw_shift, plot_shift, scores_of_both
from disentangle.score_tables.observations import observations_of

HELD = {"hold_out": ("shape=heart",)}
INSIDE, OUTSIDE = ({"view": {**HELD, "split": part}} for part in ("train", "test"))
POINTS = {"a": (0.9, 0.5), "b": (0.8, 0.6), "c": (0.4, 0.4)}


def values(inside, outside, **others):
    """The two scores of a run."""
    return [{"value": inside, **INSIDE, **others}, {"value": outside, **OUTSIDE, **others}]


@pytest.fixture
def runs(variant):
    return [
        variant(name, seed, values(*pair), record={"model": "vae" if name == "c" else "beta-vae"})
        for seed, (name, pair) in enumerate(POINTS.items())
    ]


def points(figure):
    """The points of each model, and the diagonal without a label."""
    lines = figure.axes[0].lines
    return {line.get_label(): np.stack([line.get_xdata(), line.get_ydata()], 1) for line in lines}


def test_a_point_is_a_run_and_the_line_is_equality(runs):
    figure = plot_shift(observations_of(runs), "mig")
    drawn = points(figure)
    assert drawn["beta-vae"].tolist() == [[0.9, 0.5], [0.8, 0.6]]
    assert drawn["vae"].tolist() == [[0.4, 0.4]]
    (line,) = (value for name, value in drawn.items() if name.startswith("_"))
    assert (line[:, 0] == line[:, 1]).all()
    axes = figure.axes[0]
    assert axes.get_xlim() == axes.get_ylim() == tuple(line[:, 0])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["beta-vae", "vae"]
    assert "3 runs" in figure.caption
    assert "held out shape=heart" in figure.caption
    check_contrast(figure)


def test_a_run_without_one_of_the_scores_is_left_out(runs, variant):
    alone = variant("d", 5, values(0.7, 0.1)[:1])
    figure = plot_shift(observations_of([*runs, alone]), "mig")
    assert sum(map(len, points(figure).values())) == len(POINTS) + 2
    assert "3 runs" in figure.caption


def test_equal_scores_have_a_point_inside_the_frame(variant):
    figure = plot_shift(observations_of([variant("a", 0, values(0.5, 0.5))]), "mig")
    low, high = figure.axes[0].get_xlim()
    assert low < 0.5 < high


def test_direction_and_factors_are_said(variant):
    less = [{"name": "tc", "metric": "total-correlation", **each} for each in values(2.0, 3.0)]
    less[0]["name"] = less[1]["name"] = "total-correlation/gaussian"
    fewer = values(0.9, 0.5)
    fewer[0]["factors"], fewer[1]["factors"] = ("shape", "x"), ("x",)
    observations = observations_of([variant("a", 0, [*less, *fewer])])
    caption = plot_shift(observations, "total-correlation/gaussian").caption
    assert "Less is better." in caption
    assert "on the images trained on alone: shape." in plot_shift(observations, "mig").caption


def test_scores_of_the_same_factors_go_before_those_of_fewer(variant):
    scores = values(0.9, 0.5) + values(0.8, 0.2, factors=("x",))
    scores[0]["factors"] = scores[1]["factors"] = ("x",)
    scores[2]["factors"] = ("shape", "x")
    scores = scores[:3]
    observations = observations_of([variant("a", 0, scores)])
    with pytest.raises(UsageError, match="several ways"):
        plot_shift(observations, "mig")
    (heading,) = (
        text
        for column, text in observations.headings.items()
        if column.factors == ("x",) and dict(column.view)["split"] == "train"
    )
    assert points(plot_shift(observations, heading))["beta-vae"].tolist() == [[0.9, 0.5]]


def test_one_of_several_ways_is_chosen_by_either_heading(variant):
    scores = values(0.9, 0.5) + values(0.8, 0.2, knobs={"bins": 9})
    observations = observations_of([variant("a", 0, scores)])
    with pytest.raises(UsageError, match="several ways") as said:
        plot_shift(observations, "mig")
    named = re.findall(r"'(mig \[.*?\])'", str(said.value))
    assert len(named) == 2
    assert points(plot_shift(observations, named[1]))["beta-vae"].tolist() in (
        [[0.9, 0.5]],
        [[0.8, 0.2]],
    )
    for column, heading in observations.headings.items():
        pair = [[0.8, 0.2]] if column.knobs else [[0.9, 0.5]]
        assert points(plot_shift(observations, heading))["beta-vae"].tolist() == pair


def test_scores_of_one_part_say_what_to_run(variant):
    observations = observations_of([variant("a", 0, values(0.9, 0.5)[:1])])
    with pytest.raises(DisentangleError, match="score --metric mig --split train,test`"):
        plot_shift(observations, "mig")
    assert scores_of_both(observations) == []


def test_figure_by_command_and_in_a_file(runs, command, tmp_path):
    results = runs[0].path.parent
    code, out, err = command("figure", "shift", "--score", "mig", "--results", results)
    assert code == 0, err
    with Image.open(out.strip()) as picture:
        assert out.strip() == str(results / "figures" / "shift-mig.png")
        assert picture.text["Title"].startswith("mig on held-out images")
    code, _, err = command("figure", "shift", "--results", results)
    assert (code, "--score NAME is missing; the runs have: mig" in err) == (2, True)
    with pytest.raises(UsageError, match="ends with"):
        draw_shift(observations_of(runs), "mig", tmp_path / "a.txt")
