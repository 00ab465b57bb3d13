"""What every registered plugin keeps to: a new one is tested by existing."""

import inspect
import sys

import pytest
from helpers.image_features import random_features

from disentangle._utils.files import data_folder
from disentangle._utils.seeds import initialising
from disentangle.contracts import registry
from disentangle.contracts.entry_points import OWN
from disentangle.contracts.model import Model
from disentangle.contracts.plugin import knobs
from disentangle.data.status import about, state
from disentangle.testing import conformance
from disentangle.testing.trial import subject, values
from disentangle_plugins.metrics import fid


@pytest.fixture(autouse=True)
def without_weights(monkeypatch):
    """Let FID and KID compute features with a small network, as their weights are not here."""
    monkeypatch.setattr(fid, "feature_network", random_features())


HERE = data_folder()
"""The user's own data, looked up before the tests get a cache of their own."""


def state_here(name):
    return state(name, about(name), HERE)


READY = [name for name in registry.datasets.entries if state_here(name).startswith("ready")]
# Those that are drawn in seconds are tested whether they are prepared or not.
DRAWN = [name for name in ("dsprites",) if name not in READY]
MISSING = sorted(set(registry.datasets.entries) - {*READY, *DRAWN})

test_models = conformance(models=list(registry.models.entries))
test_metrics = conformance(metrics=list(registry.metrics.entries))
if READY:
    test_prepared_datasets = conformance(datasets=READY, data_dir=HERE)
if DRAWN:
    test_drawn_datasets = conformance(datasets=DRAWN)


def test_every_builtin_adapter_is_checked():
    """Each needs a reference or settings, so their own tests in tests/plugins check them."""
    names = {
        group.kind: {
            name for name, (entry, *_) in group.entries.items() if entry.distribution == OWN
        }
        for group in (registry.encoders, registry.collections, registry.trackers)
    }
    assert names == {
        "encoder": {"hf", "onnx", "timm", "torchvision"},
        "collection": {"dependent", "hf", "ica-mixing", "torchvision"},
        "tracker": {"mlflow", "tensorboard", "wandb"},
    }


@pytest.mark.parametrize("name", MISSING)
def test_other_datasets(name):
    pytest.skip(f"{name}: {state_here(name)}")


@pytest.mark.parametrize(
    ("group", "name"),
    [(group, name) for group in registry.groups for name in group.entries],
    ids=lambda x: getattr(x, "kind", x),
)
def test_plugin_says_what_it_is_and_where_it_is_from(group, name):
    plugin = group.load(name)
    assert inspect.getdoc(plugin)
    if group not in (registry.networks, registry.executors):
        assert "http" in sys.modules[plugin.__module__].__doc__


OF_OTHERS = {"discriminator_lr", "predictor_lr", "labelled", "changes", "rate", "categorical"}
"""Knobs for the optimiser, and for making pairs or drawing labelled images."""
OWN_KNOBS = [
    (name, knob)
    for name in sorted(registry.models.entries)
    for knob in sorted(set(knobs(registry.models.load(name))) - set(knobs(Model)))
    if knob not in OF_OTHERS
]


def other_value(knob):
    """Return a value of a knob that is not its default."""
    if knob.choices:
        return next(c for c in reversed(knob.choices) if c != knob.default)
    if knob.type is bool:
        return not knob.default
    value = knob.default * 2 + (10 if knob.type is int else 1)
    return value if knob.max is None else min(value, knob.max)


@pytest.mark.parametrize(("name", "knob"), OWN_KNOBS)
def test_loss_moves_with_every_knob(name, knob):
    tried = subject(name, (1, 64, 64))
    losses = []
    tested = knobs(tried.kind)[knob]
    needed = {other: values[0] for other, *values in tested.conditions}
    for given in ({}, {knob: other_value(tested)}):
        made = tried.kind(**needed, **given)
        with initialising(0):
            made.build((1, 64, 64))
        made.encoder[-1].weight.data *= 30  # as if it had learnt to tell images apart
        losses.append(values(made, tried.batch(made)))
    assert losses[0] != losses[1]
