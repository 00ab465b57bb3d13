"""KL over training: what is drawn of a log, and when there is none."""

import json

import pytest
from helpers.figure_checks import check_contrast, check_type

from disentangle.errors import DisentangleError, UsageError
from disentangle.figures import canvas, picture
from disentangle.figures import kl_curves as curves
from disentangle.figures.palette import FAINT, SERIES


def write_log(run, kls):
    entries = [{"step": 100 * (i + 1), "terms": {}, "kl": kl} for i, kl in enumerate(kls)]
    (run.path / "log.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))


@pytest.fixture
def drawn(monkeypatch):
    found = []
    monkeypatch.setattr(picture, "save_figure", lambda figure, path, **about: found.append(figure))
    return found


@pytest.mark.parametrize("steps", ["linear", "log"])
def test_lines_are_the_logged_kl_and_their_sum(run, drawn, steps):
    write_log(run, [[0.0, 0.5, 0.1], [2.0, 1.0, 0.05]])
    curves.draw_kl(run, steps=steps)
    each, total = drawn[0].axes
    lines = {tuple(line.get_ydata()): line for line in each.lines}
    assert set(lines) == {(0.0, 2.0), (0.5, 1.0), (0.1, 0.05)}
    assert list(lines[0.0, 2.0].get_xdata()) == [100, 200]
    assert lines[0.0, 2.0].get_linestyle() != lines[0.5, 1.0].get_linestyle()
    assert total.lines[0].get_ydata() == pytest.approx([0.6, 3.05])
    assert each.get_xscale() == total.get_xscale() == steps
    check_type(drawn[0])
    ticks = [t.get_text() for t in total.get_xticklabels() if 100 <= t.get_position()[0] <= 200]
    assert {"100", "200"} <= set(ticks)
    assert not [text.get_text() for text in total.get_xticklabels(minor=True) if text.get_text()]
    assert drawn[0].get_figwidth() == canvas.COLUMN


def test_lines_are_named_at_their_ends_and_the_little_ones_together(run, drawn):
    write_log(run, [[3.0, 3.01, 3.02, 0.01, 0.02], [3.0, 3.01, 3.02, 0.01, 0.02]])
    curves.draw_kl(run)
    check_contrast(drawn[0])
    said = check_type(drawn[0])
    assert {"z0", "z1", "z2", "2 others\nbelow 0.1"} <= set(said)
    assert "z3" not in said


def test_one_little_line_is_counted_in_the_singular(run, drawn):
    write_log(run, [[3.0, 3.01, 0.02]] * 2)
    curves.draw_kl(run)
    assert "1 other\nbelow 0.1" in check_type(drawn[0])


def test_many_lines_that_end_together_are_told_apart(run, drawn):
    write_log(run, [[1 + d / 1000 for d in range(40)]] * 3)
    curves.draw_kl(run)
    said = check_type(drawn[0])
    assert [text for text in said if text.startswith("z")] == [f"z{d}" for d in range(28, 40)]
    assert "28 others\nup to 1" in said
    lines = drawn[0].axes[0].lines
    styles = {(line.get_color(), line.get_linestyle()) for line in lines}
    assert len(styles) == 12 + 1
    assert [line.get_color() for line in lines].count(FAINT) == 28
    assert {color for color, _ in styles} == {FAINT, *SERIES}


def test_strokes_to_the_labels_do_not_cross_after_a_warm_up(run, drawn):
    write_log(run, [[100.0 - d for d in range(10)], [0.2 + d / 50 for d in range(10)]])
    curves.draw_kl(run)
    axes = drawn[0].axes[0]
    strokes = [(text.xy[1], text.xyann[1]) for text in axes.texts if not text.get_text()]
    assert len(strokes) == 10
    assert sorted(strokes) == sorted(strokes, key=lambda ends: ends[1])
    names = [text.get_position()[1] for text in axes.texts if text.get_text()]
    assert names == [label for _, label in strokes]


def test_log_without_kl_and_no_log_are_told_apart(run):
    (run.path / "log.jsonl").write_text('{"step": 100, "terms": {}}\n')
    with pytest.raises(UsageError, match="'beta-vae' has no KL"):
        curves.draw_kl(run)
    (run.path / "log.jsonl").write_text("")
    with pytest.raises(DisentangleError, match=r"its log is empty\. Run `disentangle resume"):
        curves.draw_kl(run)
    run.save_record(imported="model.pt")
    with pytest.raises(DisentangleError, match=r"no log\. .* --metric elbo --detail"):
        curves.draw_kl(run)


def test_small_numbers_leave_the_label_of_their_axis_whole(run, drawn):
    write_log(run, [[0.0249, 0.0125, 0.0051]] * 3)
    curves.draw_kl(run)
    assert any("3 latents" in text for text in check_type(drawn[0]))
