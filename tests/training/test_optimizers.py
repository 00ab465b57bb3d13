"""Learning rates that fall, against torch's own schedule."""

import pytest
import torch

from disentangle.contracts.common_options import Training
from disentangle.contracts.plugin import knobs
from disentangle.contracts.settings import resolve
from disentangle.errors import UsageError
from disentangle.training.optimizers import LearningRates


def optimizer(lr=1e-3, kind=torch.optim.Adam):
    return kind([torch.nn.Parameter(torch.ones(2))], lr=lr)


def rates(optimizers, training, steps, as_step=int):
    schedule = LearningRates(optimizers, training)
    seen = []
    for step in steps:
        schedule.set(as_step(step))
        seen.append([float(group["lr"]) for o in optimizers for group in o.param_groups])
    return seen


COSINE = Training(lr_schedule="cosine", lr_steps=50, lr_end=1.25e-6, steps=100)


@pytest.mark.parametrize("as_step", [int, torch.tensor], ids=["number", "on the device"])
def test_learning_rates_are_those_of_torchs_cosine(as_step):
    torchs = optimizer()
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(torchs, 50, eta_min=1.25e-6)
    expected = []
    for _ in range(50):
        expected.append(torchs.param_groups[0]["lr"])
        torchs.step()
        scheduler.step()
    seen = [rate for (rate,) in rates([optimizer()], COSINE, range(50), as_step)]
    assert seen == pytest.approx(expected, rel=1e-6)


def test_learning_rates_of_cycles_are_those_of_torchs_cosine_beyond_its_end():
    torchs = optimizer()
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(torchs, 50, eta_min=1.25e-6)
    expected = []
    for _ in range(170):
        expected.append(torchs.param_groups[0]["lr"])
        torchs.step()
        scheduler.step()
    cycles = Training(lr_schedule="cosine-cycles", lr_steps=50, lr_end=1.25e-6, steps=200)
    seen = [rate for (rate,) in rates([optimizer()], cycles, range(170))]
    assert seen == pytest.approx(expected, rel=1e-6)
    assert seen[100] == pytest.approx(1e-3)


def test_learning_rate_stays_at_its_end():
    assert rates([optimizer()], COSINE, [50, 51, 99]) == [[pytest.approx(1.25e-6)]] * 3


def test_learning_rate_depends_on_the_step_alone():
    onwards = rates([optimizer()], COSINE, range(30, 40))
    assert onwards == rates([optimizer()], COSINE, range(40))[30:]


def test_opponents_learning_rate_falls_from_its_own():
    first, half = rates([optimizer(1e-3), optimizer(4e-3)], COSINE, [0, 25])
    assert first == pytest.approx([1e-3, 4e-3])
    assert half == pytest.approx([(1e-3 + 1.25e-6) / 2, (4e-3 + 1.25e-6) / 2])


def test_without_a_number_of_steps_the_cosine_ends_with_the_training():
    training = Training(lr_schedule="cosine", steps=200)
    assert rates([optimizer()], training, [100, 200]) == [[pytest.approx(5e-4)], [0.0]]


def test_constant_learning_rates_are_left_alone():
    assert rates([optimizer(2e-3)], Training(lr_steps=50), [0, 99]) == [[2e-3]] * 2


@pytest.mark.parametrize("option", ["lr_steps", "lr_end"])
def test_options_of_the_cosine_are_refused_without_it(option):
    value = knobs(Training)[option].parse("1")
    with pytest.raises(UsageError, match=f"{option} has no effect while lr_schedule is constant"):
        resolve(Training, {option: value})
