"""What every registered plugin keeps to: a new one is tested by existing."""

import inspect
import sys

import numpy as np
import pytest
import torch

from disentangle import registry
from disentangle.arrays import array_source
from disentangle.chosen import Chosen
from disentangle.dataset import Labelled
from disentangle.errors import Unavailable
from disentangle.metric import Metric
from disentangle.model import Batch, Code, Model
from disentangle.plugin import knobs
from disentangle.seeds import initialising, torch_rng

PLUGINS = [(group, name) for group in registry.groups for name in group.entries]


@pytest.mark.parametrize(("group", "name"), PLUGINS, ids=lambda x: getattr(x, "kind", x))
def test_plugin_says_what_it_is_and_where_it_is_from(group, name):
    plugin = group.load(name)
    assert inspect.getdoc(plugin)
    if group not in (registry.networks, registry.executors):
        assert "http" in sys.modules[plugin.__module__].__doc__


@pytest.mark.parametrize(
    ("group", "name"),
    [p for p in PLUGINS if p[0] in (registry.models, registry.metrics)],
    ids=lambda x: getattr(x, "kind", x),
)
def test_knobs_say_what_they_are_and_default_to_a_valid_value(group, name):
    for declared in knobs(group.load(name)).values():
        assert declared.help
        assert declared.check(declared.default) == declared.default


@pytest.fixture(scope="module", params=sorted(registry.models.entries))
def model(request):
    made = registry.models.load(request.param)()
    with initialising(0):
        made.build((1, 64, 64))
    return made


def terms(model, step=3):
    x, pair = torch.rand((2, 6, 1, 64, 64), generator=torch_rng(0, "x"))
    rng = torch_rng(0, "noise")
    batch = Batch(x=x, step=step, steps=10, dataset_size=100, rng=rng, pair=pair)
    found = model.terms(batch)
    return found if isinstance(found, tuple) else (found,)


def test_terms_are_finite_scalars(model):
    for found in terms(model):
        assert found
        for term in found.values():
            assert term.shape == ()
            assert term.isfinite()


def test_same_noise_gives_the_same_terms(model):
    for first, second in zip(terms(model), terms(model), strict=True):
        assert {k: v.item() for k, v in first.items()} == {k: v.item() for k, v in second.items()}


def test_gradient_reaches_every_parameter(model):
    for found in terms(model):
        sum(found.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    model.zero_grad()


OWN_KNOBS = [
    (name, knob)
    for name in sorted(registry.models.entries)
    for knob in sorted(set(knobs(registry.models.load(name))) - set(knobs(Model)))
    if knob not in ("discriminator_lr", "changes")  # for the optimiser, and for making pairs
]


def other_value(knob):
    """Return a value of a knob that is not its default."""
    if knob.choices:
        return next(c for c in reversed(knob.choices) if c != knob.default)
    return knob.default * 2 + (10 if knob.type is int else 1)


@pytest.mark.parametrize(("name", "knob"), OWN_KNOBS)
def test_loss_moves_with_every_knob(name, knob):
    kind = registry.models.load(name)
    losses = []
    for given in ({}, {knob: other_value(knobs(kind)[knob])}):
        made = kind(**given)
        with initialising(0):
            made.build((1, 64, 64))
        made.encoder[-1].weight.data *= 30  # as if it had learnt to tell images apart
        losses.append([{k: v.item() for k, v in found.items()} for found in terms(made)])
    assert losses[0] != losses[1]


def test_code_and_images_have_their_shapes(model):
    code = model.encode(torch.zeros((3, 1, 64, 64)))
    assert isinstance(code, Code)
    assert code.mean.shape == (3, model.latents)
    assert model.decode(code.mean).shape == (3, 1, 64, 64)
    assert model.traversal(0, 5).shape == (5,)


@pytest.fixture(params=sorted(registry.metrics.entries))
def metric(request):
    return Chosen(request.param)


def source(noise, order=slice(None)):
    rng = np.random.default_rng(0)
    v = rng.integers(0, (3, 4, 5), (500, 3))
    z = rng.normal(size=v.shape) if noise else v + 0.01 * rng.normal(size=v.shape)
    return array_source(z[:, order], v)


def scores(metric, of):
    """Return a metric's scores; a metric of models has none of bare codes."""
    assert isinstance(metric.metric, Metric)
    if metric.kind.of_model:
        with pytest.raises(Unavailable, match="codes"):
            metric.scores(of, 0)
        return {}
    return metric.scores(of, 0)[0]


def test_metric_depends_on_its_generator_alone(metric):
    assert scores(metric, source(True)) == scores(metric, source(True))


def test_metric_does_not_depend_on_the_order_of_latents(metric):
    first, second = (scores(metric, source(False, order)) for order in ([0, 1, 2], [2, 0, 1]))
    assert second == pytest.approx(first, abs=1e-3)


def test_oracle_scores_above_noise(metric):
    if not issubclass(metric.kind.needs, Labelled):
        return  # without factors there is no oracle
    oracle, noise = scores(metric, source(False)), scores(metric, source(True))
    assert oracle
    # The size of a code is all that dci-es/size looks at.
    assert all(oracle[name] > noise[name] for name in noise if name != "dci-es/size")


def test_details_have_the_sizes_of_their_axes(metric):
    if not metric.kind.of_model:
        for detail in metric.scores(source(False), 0)[1].values():
            assert detail.values.shape == tuple({"latent": 3, "factor": 3}[a] for a in detail.axes)
