"""The figures of a study file."""

import pytest

from disentangle.studies.study_figures import draw_figures
from disentangle.studies.study_file import FigureAsked


@pytest.fixture
def runs(variant):
    held = {"hold_out": ("shape=heart",)}
    values = [{"value": 0.5, "view": {**held, "split": part}} for part in ("train", "test")]
    return [variant("a", 0, values), variant("b", 1, values)]


def test_shift_is_drawn_from_the_scores_of_both_parts(runs, tmp_path):
    figure = FigureAsked(kind="shift", score="mig")
    (path,) = draw_figures([figure], runs, [], tmp_path, lambda line: None)
    assert path == tmp_path / "shift-mig.png"
    assert path.stat().st_size


def test_shift_is_drawn_of_the_parts_that_hold_something_out(variant, tmp_path):
    view = {"hold_out": ("shape=heart",), "split": "train"}
    scores = [{"value": 0.5, "view": {**view, "split": part}} for part in ("train", "test")]
    runs = [variant("a", 0, scores, view=view), variant("b", 0, [{"value": 0.5}])]
    lines = []
    figure = FigureAsked(kind="shift", score="mig")
    assert len(draw_figures([figure], runs, [], tmp_path, lines.append)) == 1
    assert not lines


def test_a_figure_that_cannot_be_drawn_yet_is_a_line(variant, tmp_path):
    lines = []
    figure = FigureAsked(kind="shift", score="mig")
    run = variant("a", 0, [{"value": 0.5}])
    assert draw_figures([figure], [run], [], tmp_path, lines.append) == []
    assert "not drawn: shift-mig: no run has 'mig' of both" in lines[0]


def test_trained_on_is_one_figure_of_all_parts_of_a_dataset(variant, tmp_path):
    correlated = {"correlate": ("shape,scale=0.1",)}
    runs = [
        variant(f"{data} {place}", 0, [{"value": 0.5, **data}], view=view, **data)
        for data in ({}, {"fingerprint": "f" * 64})
        for place, view in enumerate(({}, correlated))
    ]
    figure = FigureAsked(kind="trained-on", score="mig")
    paths = draw_figures([figure], runs, [], tmp_path, lambda line: None)
    name = f"trained-on-mig-{runs[0].record.dataset.name}"
    assert [path.stem for path in paths] == [name, f"{name}-2"]
