"""Curves of a training: what the log holds, one panel for each quantity."""

import json

import pytest
from helpers.figure_checks import check_contrast, check_type

from disentangle.errors import DisentangleError
from disentangle.figures import plot_curves


def write_log(run, count):
    entries = [
        {
            "step": 100 * (i + 1),
            "loss": 500.0 - i,
            "terms": {"reconstruction": 480.0 - i, "kl": 20.0 + i},
            "values": {"reconstruction": 480.0 - i, "kl": 5.0 + i},
            "active": i,
        }
        for i in range(count)
    ]
    (run.path / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))


@pytest.mark.parametrize("count", [1, 3])
def test_each_quantity_is_a_panel_without_its_weight(run, count):
    write_log(run, count)
    figure = plot_curves(run)
    said = check_type(figure)
    check_contrast(figure)
    assert {"loss", "reconstruction", "kl", "active latents", "step"} <= set(said)
    lines = [tuple(axes.lines[0].get_ydata()) for axes in figure.axes]
    assert lines == [
        tuple(500.0 - i for i in range(count)),
        tuple(480.0 - i for i in range(count)),
        tuple(5.0 + i for i in range(count)),
        tuple(range(count)),
    ]
    assert list(figure.axes[0].lines[0].get_xdata()) == [100 * (i + 1) for i in range(count)]


def test_log_without_a_loss_has_its_weighted_terms(run):
    text = json.dumps({"step": 10, "terms": {"reconstruction": 1.0, "kl": 2.0}})
    (run.path / "log.jsonl").write_text(text + "\n")
    assert {"reconstruction", "kl, weighted"} <= set(check_type(plot_curves(run, caption=False)))


def test_empty_log_is_one_line(run):
    (run.path / "log.jsonl").write_text("")
    with pytest.raises(DisentangleError, match="its log is empty, so there are no curves"):
        plot_curves(run)
