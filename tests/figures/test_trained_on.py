"""The figure of a score by what was trained on."""

import numpy as np
import pytest
from helpers.figure_checks import check_contrast, check_type
from PIL import Image

from disentangle.errors import DisentangleError, UsageError
from disentangle.figures.trained_on import draw_trained_on, plot_trained_on, scores_in_common
from disentangle.score_tables.statistics import FEWEST

TIGHT, LOOSE = ({"correlate": (f"shape,scale={sigma}",)} for sigma in (0.1, 0.4))
VALUES = {
    ("vae", None): (0.5, 0.7),
    ("vae", "tight"): (0.1, 0.3),
    ("vae", "loose"): (0.4,),
    ("beta-vae", None): (0.6,),
    ("beta-vae", "tight"): (0.2,),
}
VIEWS = {None: {}, "tight": TIGHT, "loose": LOOSE}


@pytest.fixture
def make(variant):
    """A function that creates runs with scores of all images, trained on a view."""

    def runs_of(values):
        return [
            variant(
                f"{model} {part} {seed}",
                seed,
                [{"value": value}],
                record={"model": model},
                view=VIEWS[part],
            )
            for (model, part), several in values.items()
            for seed, value in enumerate(several)
        ]

    return runs_of


def means(figure):
    """The means of each model, from top to bottom."""
    lines = figure.axes[0].lines
    return {x.get_label(): x.get_xdata() for x in lines if not x.get_label().startswith("_")}


def parts(figure):
    """The names of what was trained on, from top to bottom."""
    return [text.get_text().replace("\n", " ") for text in figure.axes[0].texts]


def test_all_images_come_first_then_each_correlation(make):
    figure = plot_trained_on(make(VALUES), "mig")
    correlations = ["correlated shape,scale=0.1", "correlated shape,scale=0.4"]
    assert parts(figure) == ["all images", *correlations]
    drawn = means(figure)
    np.testing.assert_allclose(drawn["vae"], [0.6, 0.2, 0.4])
    np.testing.assert_allclose(drawn["beta-vae"], [0.6, 0.2])
    assert figure.caption.startswith("mig of 7 runs by what they were trained on")
    assert "bootstrap" not in figure.caption
    check_contrast(figure)
    check_type(figure)


def test_points_are_runs_and_each_model_has_a_row_in_each_part(make):
    (axes,) = plot_trained_on(make(VALUES), "mig").axes
    points = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert sorted(x for line in points for x in line.get_xdata()) == sorted(
        value for several in VALUES.values() for value in several
    )
    rows = {y for line in points for y in line.get_ydata()}
    assert len(rows) == len(VALUES)
    assert all(0 < y < axes.get_ylim()[0] for y in rows)


@pytest.mark.parametrize("high", [0.334, 0.35, 1.0])
def test_numbers_at_the_ends_of_the_axis_are_inside(make, high):
    check_type(plot_trained_on(make({("vae", None): (0.0,), ("vae", "tight"): (high,)}), "mig"))


def test_bars_are_said_if_there_are_enough_seeds(make):
    many = {("vae", None): tuple(np.linspace(0, 1, FEWEST)), ("vae", "tight"): (0.1,)}
    assert f"Bars: 95 % bootstrap intervals, from {FEWEST} runs on." in (
        plot_trained_on(make(many), "mig").caption
    )


def test_the_direction_of_a_score_is_said(variant):
    name = {"name": "total-correlation/gaussian", "metric": "total-correlation"}
    runs = [variant(str(i), 0, [{"value": i, **name}], view=v) for i, v in enumerate(({}, TIGHT))]
    assert "Less is better." in plot_trained_on(runs, "total-correlation/gaussian").caption


def test_scores_of_other_images_are_left_out(make, variant):
    view = {"hold_out": ("shape=heart",), "split": "test"}
    aside = variant("aside", 0, [{"value": 0.9, "view": view}], view=view)
    figure = plot_trained_on([*make(VALUES), aside], "mig")
    assert len(parts(figure)) == 3
    assert "7 runs" in figure.caption


def test_scores_that_two_trainings_have_are_listed(make, variant):
    other = variant("other", 0, [{"value": 0.3, "name": "other", "metric": "other"}], view=TIGHT)
    runs = [*make(VALUES), other]
    assert scores_in_common(runs) == ["mig"]
    with pytest.raises(UsageError, match="no run has the score 'other'"):
        plot_trained_on(runs, "other")


def test_runs_that_were_trained_alike_have_no_figure(make):
    alike = make({("vae", None): (0.5, 0.6)})
    with pytest.raises(DisentangleError, match=r"got runs trained on 'all images'\. .*--correlate"):
        plot_trained_on(alike, "mig")
    with pytest.raises(DisentangleError, match="no finished runs"):
        plot_trained_on([], "mig")


def test_datasets_are_not_mixed(make, variant):
    elsewhere = variant("e", 0, [{"value": 0.9, "fingerprint": "f" * 64}], fingerprint="f" * 64)
    with pytest.raises(UsageError, match=r"runs are on 2\. Select.*\n  --where fingerprint="):
        plot_trained_on([*make(VALUES), elsewhere], "mig")


def test_command_draws_it_and_lists_the_scores(make, command, tmp_path):
    results = make(VALUES)[0].path.parent
    code, out, err = command("figure", "trained-on", "--score", "mig", "--results", results)
    assert (code, err) == (0, "")
    path = results / "figures" / "trained-on-mig.png"
    assert out.strip() == str(path)
    with Image.open(path) as image:
        assert image.size[0] > 500
    code, _, err = command("figure", "trained-on", "--results", results)
    assert (code, "--score NAME is missing; the runs have: mig" in err) == (2, True)
    with pytest.raises(UsageError, match=r"a\.txt"):
        draw_trained_on([], "mig", tmp_path / "a.txt")


def test_the_names_of_many_long_parts_fit(variant):
    runs = [
        variant(
            f"{sigma}",
            0,
            [{"value": sigma}],
            view={"correlate": (f"floor_hue,wall_hue={sigma}", f"orientation,shape={sigma}")},
        )
        for sigma in (0.1, 0.2, 0.4, 0.7, 1.0)
    ]
    check_type(plot_trained_on([*runs, variant("all", 0, [{"value": 0.5}])], "mig"))
