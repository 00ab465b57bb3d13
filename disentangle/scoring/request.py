"""What a user asks of a score: metrics, protocol, seed, and the part of the dataset."""

import operator
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from disentangle.contracts.dataset import Dataset
from disentangle.errors import UsageError
from disentangle.runs.records import DatasetRecord, Record
from disentangle.runs.run import Run
from disentangle.scoring.measure import ScoreRequest, score_requests
from disentangle.scoring.metric_spec import MetricSpec, choose, listed
from disentangle.scoring.protocol import DEFAULT, Protocol, load_protocol


class ScoringRequest(Record):
    """The metrics to run, how, and on which part of a dataset: checked once, passed on whole.

    The verbs `score`, `score_encoder`, `score_codes` and `baselines` make one of their arguments;
    a study makes one for each protocol, and sends it to its workers.
    """

    metrics: tuple[str, ...] | None = None
    """Names, each with hyper-parameters where given (`mig:bins=40`), or `all`; None: the protocol's
    choice, or else the default metrics."""
    protocol: str = DEFAULT
    """The name of a protocol, or the path of a TOML file."""
    seed: int = 0
    """Of the metrics' sampling."""
    split: str | None = None
    factors: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        metrics: Iterable[str] | None = None,
        *,
        protocol: str | Path = DEFAULT,
        seed: int = 0,
        split: str | None = None,
        factors: Sequence[str] | None = None,
    ) -> Self:
        """Make a request of a verb's arguments, and load its metrics and its protocol.

        Raises:
            UsageError: an unknown metric, hyper-parameter or protocol, or a seed that is not a
                whole number at least 0.
        """
        names = listed(metrics)
        for name in names or ():
            if not isinstance(name, str):
                raise UsageError(f"a metric is named by text, not {type(name).__name__}")
        request = cls(
            metrics=None if names is None else tuple(names),
            protocol=str(protocol),
            seed=check_seed(seed),
            split=split,
            factors=None if factors is None else tuple(factors),
        )
        request.load()
        return request

    @cached_property
    def rules(self) -> Protocol:
        """The protocol, loaded."""
        return load_protocol(self.protocol)

    @cached_property
    def specs(self) -> list[MetricSpec]:
        """The metrics, loaded."""
        return choose(self.metrics, self.rules)

    @property
    def takes_all(self) -> bool:
        """Whether all metrics are asked for."""
        return "all" in (self.metrics or ())

    def load(self) -> None:
        """Load the metrics and the protocol, so that a typo shows now.

        Raises:
            UsageError: an unknown metric, hyper-parameter or protocol.
        """
        _ = self.specs

    def scores_of(self, data: DatasetRecord, weights: str) -> list[ScoreRequest]:
        """Request each score of what is scored.

        Args:
            data: the dataset or view.
            weights: the digest of the weights, or what else makes the codes.
        """
        return score_requests(self.specs, self.rules, data, weights, self.seed)

    def part_of_run(self, run: Run, dataset: Dataset | None = None) -> Dataset | None:
        """Return the dataset or view that is scored of a run; None for what it was trained on.

        Args:
            run: the run.
            dataset: a dataset to score in place of the run's own.
        """
        if dataset is not None:
            chosen = self.split is not None or self.factors is not None
            return dataset.view(split=self.split, factors=self.factors) if chosen else dataset
        view: dict[str, Any] = dict(run.record.dataset.view)
        split = self.split
        if split is None and view.get("split") == "train":
            has_test = view.get("hold_out") or "test" in run.whole.splits
            split = "test" if has_test else None
        if split is None and self.factors is None:
            return None
        if split is not None:
            view["split"] = split
        if self.factors is not None:
            view["factors"] = self.factors
        return run.whole.view(**view)

    def part_of(self, dataset: Dataset) -> Dataset:
        """Return the part of a dataset that is scored: as asked, or else its test split."""
        split = self.split
        if split is None and dataset.test_split != "all" and "split" not in dataset.view_record:
            split = dataset.test_split
        if split is None and self.factors is None:
            return dataset
        return dataset.view(split=split, factors=self.factors)


def check_seed(seed: Any) -> int:
    """Return a seed as an int.

    Raises:
        UsageError: it is not a whole number at least 0.
    """
    try:
        whole = operator.index(seed)
    except TypeError:
        whole = -1
    if whole < 0 or isinstance(seed, bool):
        raise UsageError(f"seed must be a whole number at least 0; got {seed!r}")
    return whole
