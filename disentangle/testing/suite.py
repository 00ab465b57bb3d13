"""The checks for each kind of plugin, and all of them as one parametrised test."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from disentangle.contracts import entry_points, registry
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.metric import Metric
from disentangle.contracts.model import Model
from disentangle.contracts.tracker import Tracker
from disentangle.errors import UsageError, suggestion
from disentangle.testing import collections as collection_rules
from disentangle.testing import datasets as dataset_rules
from disentangle.testing import encoders as encoder_rules
from disentangle.testing import metrics as metric_rules
from disentangle.testing import models as model_rules
from disentangle.testing import trackers as tracker_rules
from disentangle.testing import trial
from disentangle.testing.check import Check, Rules, checks

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


def check_encoder(
    reference: str, load: encoder_rules.Load | None = None, *, image_shape: Shape = SHAPE
) -> Iterator[Check]:
    """Yield the checks of an encoder by reference.

    Args:
        reference: an encoder that can be loaded here without the network, `PREFIX:NAME`.
        load: the plugin's function [default: the one that is registered under the prefix].
        image_shape: shape of the images to encode.
    """
    return filter(_applies, _encoder(reference, image_shape, load))


def check_collection(
    reference: str,
    open: collection_rules.Open | None = None,
    *,
    file: str | Path | None = None,
    data_dir: str | Path | None = None,
) -> Iterator[Check]:
    """Yield the checks of a collection, and those of a dataset for one that it opens.

    The dataset is prepared several times, in temporary folders: choose a small one.

    Args:
        reference: a dataset that can be opened here without the network, `PREFIX:NAME`.
        open: the plugin's function [default: the one that is registered under the prefix].
        file: the user's file or folder with the dataset.
        data_dir: folder of prepared datasets, whose `downloads` hold the published files.
    """
    return filter(_applies, _collection(reference, data_dir, open, file))


def check_tracker(tracker: str | type[Tracker]) -> Iterator[Check]:
    """Yield the checks of a tracker.

    A run is sent to it, in two parts: choose settings that send nothing to a real project.

    Args:
        tracker: its name and settings as in `--track`, `wandb:mode=offline`; or its class.
    """
    return filter(_applies, _tracker(tracker))


def conformance(
    *,
    models: Sequence[str | type[Model]] = (),
    datasets: Sequence[str | Dataset] = (),
    metrics: Sequence[str | type[Metric[Any]]] = (),
    encoders: Sequence[str] = (),
    collections: Sequence[str] = (),
    trackers: Sequence[str | type[Tracker]] = (),
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
        encoders: references that can be loaded here without the network, `PREFIX:NAME`.
        collections: the same for datasets; see `check_collection`.
        trackers: names with settings, or classes; see `check_tracker`.
        distribution: an installed distribution, all of whose models, datasets and metrics are
            checked in addition. Its encoders, collections and trackers need a reference or
            settings, so those that are not named are skipped with that reason.
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
        *(c for e in encoders for c in _encoder(e, image_shape)),
        *(c for d in collections for c in _collection(d, data_dir)),
        *(c for t in trackers for c in _tracker(t)),
        *_not_named(registry.encoders, distribution, encoders, "NAME"),
        *_not_named(registry.collections, distribution, collections, "NAME"),
        *_not_named(registry.trackers, distribution, trackers, "setting=value"),
    ]
    if not cases:
        distributions = {entry.distribution for entry in entry_points.every_entry()}
        raise UsageError(
            f"no plugin of '{distribution}' is installed{suggestion(distribution, distributions)}. "
            "After a change of pyproject.toml, run `pip install -e .`"
            if distribution
            else "name models, datasets, metrics, encoders, collections or trackers, or a "
            "distribution"
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


def _encoder(
    reference: str, image_shape: Shape, load: encoder_rules.Load | None = None
) -> Iterator[Check]:
    subject = partial(encoder_rules.subject, load=load, image_shape=image_shape)
    return checks(encoder_rules.rules, "encoder", reference, subject)


def _collection(
    reference: str,
    data_dir: str | Path | None,
    open: collection_rules.Open | None = None,
    file: str | Path | None = None,
) -> Iterator[Check]:
    subject = partial(collection_rules.subject, open=open, file=file, data_dir=data_dir)
    return checks(collection_rules.rules, "collection", reference, subject)


def _tracker(tracker: str | type[Tracker]) -> Iterator[Check]:
    return checks(tracker_rules.rules, "tracker", tracker, tracker_rules.subject)


def _not_named(
    group: entry_points.Group[Any], distribution: str | None, named: Iterable[object], form: str
) -> Iterator[Check]:
    """Yield a check that is skipped, for each plugin that is registered but not named."""
    prefixes = {str(one).partition(":")[0] for one in named}
    for name in _of(group, distribution):
        if name not in prefixes:
            reason = f"is not named: conformance({group.kind}s=['{name}:{form}'], ...) checks it"
            rules = Rules[str]()
            rules.unless(lambda subject, reason=reason: reason)(is_named)  # type: ignore[misc]
            yield from checks(rules, group.kind, name, str)


def is_named(subject: str) -> None:
    """A plugin that needs a reference or settings is named with them."""


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
