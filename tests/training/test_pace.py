"""The pace of a training: it stops in time for another step and a checkpoint to fit."""

import pytest
import torch

import disentangle
from disentangle._utils.time_limit import Deadline
from disentangle.errors import OutOfTime
from disentangle.training.pace import FIRST, MARGIN, Pace
from disentangle.training.train import FIGURES, train

SMALL = {"steps": 20, "batch_size": 8, "figures": False, "device": "cpu", "checkpoint_every": 20}
pytestmark = pytest.mark.usefixtures("strangers")


class Clock:
    """A clock that a test sets."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def steps_until_stop(limit, seconds, *, saving=0.0, scores_at=lambda step: False):
    """The number of steps, and the time of the last, if step `n` takes `seconds(n)`."""
    clock = Clock()
    pace = Pace(Deadline(limit, clock), scores_at)
    for step in range(1, 10_000):
        clock.now += seconds(step)
        need = pace.after_steps(step, step + 1)
        if need == "stop":
            return step, clock.now
        if need == "save":
            clock.now += saving
            pace.saved(saving)
    raise AssertionError("never stopped")


@pytest.mark.parametrize("seconds", [0.01, 0.5, 2.0])
def test_stops_when_a_step_and_a_checkpoint_may_not_fit(seconds):
    saving = 0.4
    _, now = steps_until_stop(60.0, lambda step: seconds, saving=saving)
    assert now + saving <= 60.0 - MARGIN
    assert now + saving >= 60.0 - MARGIN - 3 * seconds - saving


def test_steps_of_the_start_are_no_measure():
    compiled = steps_until_stop(60.0, lambda step: 20.0 if step == 1 else 0.1)
    assert compiled[1] > 56.0


def test_slow_step_is_forgotten():
    hiccup = steps_until_stop(600.0, lambda step: 60.0 if step == 50 else 0.1)
    assert hiccup[1] > 595.0


def test_checkpoint_precedes_each_step_with_scores():
    clock = Clock()
    pace = Pace(Deadline(1e6, clock), lambda step: step % 10 == 0)
    needs = {step: pace.after_steps(step, step + 1) for step in range(1, 30)}
    assert [step for step, need in needs.items() if need == "save"] == [FIRST, 9, 19, 29]


def test_scores_that_would_not_fit_are_not_begun():
    def seconds(step):
        return 30.0 if step % 10 == 0 else 1.0

    step, _ = steps_until_stop(100.0, seconds, scores_at=lambda step: step % 10 == 0)
    assert step == 29  # at 87 s: steps 10 and 20 took 30 s each


def test_training_stops_with_a_checkpoint_and_resumes_to_the_same_weights(tmp_path):
    clock = Clock()

    def tick(done, steps, entry):
        clock.now += 1.0

    whole = train("vae", "tiny", results=tmp_path / "whole", **SMALL)
    deadline = Deadline(MARGIN + 12.5, clock)
    options = {"results": tmp_path / "limited", "report": tick, **SMALL}
    with pytest.raises(OutOfTime, match=r"time limit, after step \d+ of 20\. Run `disentangle res"):
        train("vae", "tiny", time_limit=deadline, **options)
    path = next((tmp_path / "limited").rglob("run.json")).parent
    assert disentangle.load_run(path).load_checkpoint().step == 11  # 1.5 s before the margin
    again = disentangle.resume(path, figures=False, device="cpu")
    weights, expected = (run.load_checkpoint().model for run in (again, whole))
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_figures_that_do_not_fit_are_left_for_the_next_command(tmp_path):
    options = {"steps": 2, "batch_size": 8, "device": "cpu", "results": tmp_path}
    with pytest.raises(OutOfTime, match="its figures do not fit into the time limit"):
        train("vae", "tiny", time_limit=FIGURES - 1, **options)
    path = next(tmp_path.rglob("run.json")).parent
    run = disentangle.load_run(path)
    assert run.finished
    assert not run.figures.exists()
    disentangle.resume(path, figures=True, device="cpu")
    assert (run.figures / "traversals.png").exists()
