"""The checks of each kind of plugin, and all of them as one parametrised test."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from disentangle.contracts import entry_points, registry
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.metric import Metric
from disentangle.contracts.model import Model
from disentangle.errors import UsageError, suggestion
from disentangle.testing import datasets as dataset_rules
from disentangle.testing import metrics as metric_rules
from disentangle.testing import models as model_rules
from disentangle.testing import trial
from disentangle.testing.check import Check, checks

Shape = tuple[int, int, int]
SHAPE: Shape = (1, 64, 64)


def check_model(model: str | type[Model], *, image_shape: Shape = SHAPE) -> Iterator[Check]:
    """Yield the checks of a model, given by its registered name or as a class.

    Args:
        model: the model, which is tried at its knobs' defaults.
        image_shape: of the images that it is tried on.
    """
    return filter(_applies, _model(model, image_shape))


def check_dataset(dataset: str | Dataset, *, data_dir: str | Path | None = None) -> Iterator[Check]:
    """Yield the checks of a dataset, given by its registered name or opened.

    Args:
        dataset: the dataset; one that must be prepared is.
        data_dir: where prepared datasets are; see `load_dataset`.

    Raises:
        SkipTest: its published files are not here.
    """
    return filter(_applies, _dataset(dataset, data_dir))


def check_metric(metric: str | type[Metric[Any]]) -> Iterator[Check]:
    """Yield the checks of a metric, given by its registered name or as a class."""
    return filter(_applies, _metric(metric))


def conformance(
    *,
    models: Sequence[str | type[Model]] = (),
    datasets: Sequence[str | Dataset] = (),
    metrics: Sequence[str | type[Metric[Any]]] = (),
    distribution: str | None = None,
    image_shape: Shape = SHAPE,
    data_dir: str | Path | None = None,
) -> Any:
    """Return a pytest test of these plugins, to be called `test_...`: one case for each rule.

    Nothing is imported or opened until a case runs, so that a broken plugin fails only its own. A
    rule that does not concern a plugin, and a dataset whose files are not here, are skipped.

    Args:
        models: registered names, or classes.
        datasets: registered names, or opened datasets.
        metrics: registered names, or classes.
        distribution: all plugins of an installed distribution, beside those.
        image_shape: of the images that models are tried on: channels, height, width.
        data_dir: where prepared datasets are; see `load_dataset`.

    Raises:
        UsageError: no plugin is named, or no such distribution is installed.
    """
    import pytest

    every = [
        *(
            c
            for m in [*models, *_of(registry.models, distribution)]
            for c in _model(m, image_shape)
        ),
        *(
            c
            for d in [*datasets, *_of(registry.datasets, distribution)]
            for c in _dataset(d, data_dir)
        ),
        *(c for m in [*metrics, *_of(registry.metrics, distribution)] for c in _metric(m)),
    ]
    if not every:
        known = {entry.distribution for entry in entry_points.every_entry()}
        raise UsageError(
            f"no plugin of '{distribution}' is installed{suggestion(distribution, known)}; after a "
            "change of pyproject.toml: pip install -e ."
            if distribution
            else "name models, datasets or metrics, or a distribution"
        )

    @pytest.mark.parametrize("check", every, ids=_id)
    def test(check: Check) -> None:
        """A rule of the contract, for a plugin."""
        check()

    return test


def _model(model: str | type[Model], image_shape: Shape) -> Iterator[Check]:
    subject = partial(trial.subject, image_shape=image_shape)
    return checks(model_rules.rules, "model", model, subject)


def _dataset(dataset: str | Dataset, data_dir: str | Path | None) -> Iterator[Check]:
    subject = partial(dataset_rules.subject, data_dir=data_dir)
    return checks(dataset_rules.rules, "dataset", dataset, subject)


def _metric(metric: str | type[Metric[Any]]) -> Iterator[Check]:
    return checks(metric_rules.rules, "metric", metric, metric_rules.subject)


def _of(group: entry_points.Group[Any], distribution: str | None) -> list[str]:
    """Return the names that a distribution registers in a group."""
    wanted = _plain(distribution or "")
    return [
        name
        for name, entries in group.entries.items()
        if any(_plain(entry.distribution) == wanted for entry in entries)
    ]


def _plain(distribution: str) -> str:
    """Return the name of a distribution as package indices compare them."""
    return distribution.lower().replace("_", "-").replace(".", "-")


def _applies(check: Check) -> bool:
    return check.applies


def _id(check: Check) -> str:
    return f"{check.plugin}-{check.name}".replace("'", "").replace(" ", "-")
