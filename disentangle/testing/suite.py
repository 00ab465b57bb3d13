"""The checks for each kind of plugin, and all of them as one parametrised test."""

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
        model: the model, which is checked with its default knobs.
        image_shape: shape of the images to check it on.
    """
    return filter(_applies, _model(model, image_shape))


def check_dataset(dataset: str | Dataset, *, data_dir: str | Path | None = None) -> Iterator[Check]:
    """Yield the checks of a dataset, given by its registered name or opened.

    Args:
        dataset: the dataset; it is prepared if necessary.
        data_dir: folder of prepared datasets; see `load_dataset`.

    Raises:
        SkipTest: its published files are missing.
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
    """Return a pytest test of these plugins with one case per rule; name it `test_...`.

    Nothing is imported or opened until a case runs, so a broken plugin fails only its own cases.
    Rules that do not apply to a plugin, and datasets whose files are missing, are skipped.

    Args:
        models: registered names, or classes.
        datasets: registered names, or opened datasets.
        metrics: registered names, or classes.
        distribution: an installed distribution, all of whose plugins are checked in addition.
        image_shape: (channels, height, width) of the images to check models on.
        data_dir: folder of prepared datasets; see `load_dataset`.

    Raises:
        UsageError: no plugin is named, or no such distribution is installed.
    """
    import pytest

    cases = [
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
    if not cases:
        distributions = {entry.distribution for entry in entry_points.every_entry()}
        raise UsageError(
            f"no plugin of '{distribution}' is installed{suggestion(distribution, distributions)}. "
            "After a change of pyproject.toml, run `pip install -e .`"
            if distribution
            else "name models, datasets or metrics, or a distribution"
        )

    @pytest.mark.parametrize("check", cases, ids=_id)
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
    normalised = _plain(distribution or "")
    return [
        name
        for name, entries in group.entries.items()
        if any(_plain(entry.distribution) == normalised for entry in entries)
    ]


def _plain(distribution: str) -> str:
    """Normalise a distribution's name as package indices do."""
    return distribution.lower().replace("_", "-").replace(".", "-")


def _applies(check: Check) -> bool:
    return check.applies


def _id(check: Check) -> str:
    return f"{check.plugin}-{check.name}".replace("'", "").replace(" ", "-")
