"""A request for scores: metrics, protocol, seed, and the view of the dataset."""

import operator
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from disentangle._utils.text import have, joined
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.published_splits import HOLD_OUT, scored_part
from disentangle.errors import UsageError
from disentangle.runs.records import DatasetRecord, Record, uncorrelated
from disentangle.runs.run import Run
from disentangle.runs.score_records import DEFAULT_PROTOCOL
from disentangle.scoring.measure import ScoreRequest, score_requests
from disentangle.scoring.metric_spec import MetricSpec, choose, spec_list, true_spec
from disentangle.scoring.protocol import Protocol, load_protocol
from disentangle.scoring.reduction import Blocks, reduction_for, true_reduction


class ScoringRequest(Record):
    """The metrics to run, the protocol, and the view of the dataset; validated once.

    The verbs `score`, `score_encoder`, `score_codes` and `baselines` make one from their arguments;
    a study makes one per protocol and sends it to its workers.
    """

    metrics: tuple[str, ...] | None = None
    """Names with optional hyper-parameters (`mig:bins=40`), or `all`; None for the protocol's
    choice, else the default metrics."""
    protocol: str = DEFAULT_PROTOCOL
    """The name of a protocol, or the path of a TOML file."""
    seed: int = 0
    """The seed of the metrics' sampling."""
    split: str | None = None
    factors: tuple[str, ...] | None = None
    correlated: bool = False
    """Whether images are drawn by the correlated factors of the run's training."""
    reduce: str = ""
    """The reduction of the codes before they are scored, such as `pca:10`; empty for none, or for
    that of the protocol if they are in blocks."""

    @classmethod
    def of(
        cls,
        metrics: Iterable[str] | None = None,
        *,
        protocol: str | Path = DEFAULT_PROTOCOL,
        seed: int = 0,
        split: str | None = None,
        factors: Sequence[str] | None = None,
        correlated: bool = False,
        reduce: str = "",
    ) -> Self:
        """Make a request from a verb's arguments; load its metrics and protocol.

        Raises:
            UsageError: an unknown metric, hyper-parameter or protocol, or an invalid seed.
        """
        names = spec_list(metrics)
        for name in names or ():
            if not isinstance(name, str):
                raise UsageError(f"a metric's name must be a string, got {type(name).__name__}")
        request = cls(
            metrics=None if names is None else tuple(map(true_spec, names)),
            protocol=str(protocol),
            seed=check_seed(seed),
            split=split,
            factors=None if factors is None else tuple(factors),
            correlated=correlated,
            reduce=true_reduction(reduce),
        )
        request.load()
        return request

    @cached_property
    def rules(self) -> Protocol:
        """The loaded protocol."""
        return load_protocol(self.protocol)

    @cached_property
    def specs(self) -> list[MetricSpec]:
        """The loaded metrics."""
        return choose(self.metrics, self.rules)

    def specs_for(self, data: DatasetRecord) -> list[MetricSpec]:
        """The loaded metrics for a dataset, whose factors may be dependent or real numbers."""
        if not (data.scored_dependence or data.kinds):
            return self.specs
        return choose(
            self.metrics, self.rules, dependent=bool(data.scored_dependence), real=bool(data.kinds)
        )

    def defaults_for(self, data: DatasetRecord) -> str:
        """A line that names the default metrics if they are not those of most datasets."""
        if self.metrics is not None or self.rules.metrics is not None:
            return ""
        reasons = [data.scored_dependence] if data.scored_dependence else []
        if data.kinds:
            reasons.append(f"{joined(list(data.kinds))} {have(data.kinds)} real numbers")
        if not reasons:
            return ""
        names = ", ".join(spec.name for spec in self.specs_for(data))
        return f"{data.name}: the default metrics are {names}, because {joined(reasons)}"

    @property
    def takes_all(self) -> bool:
        """True if all metrics are requested."""
        return "all" in (self.metrics or ())

    def load(self) -> None:
        """Load the metrics and the protocol, so that a typo is reported now.

        Raises:
            UsageError: an unknown metric, hyper-parameter or protocol.
        """
        _ = self.specs

    def for_blocks(self, blocks: Blocks | None) -> Self:
        """The same request with the reduction of codes in `blocks`, or of codes [N, D] for None.

        Raises:
            UsageError: codes in blocks without a reduction, or a reduction of blocks without any.
        """
        named = self.reduce or (self.rules.reduction if blocks else "")
        return self.model_copy(update={"reduce": reduction_for(named, blocks)})

    def scores_of(self, data: DatasetRecord, weights: str) -> list[ScoreRequest]:
        """Request each score for a dataset.

        Args:
            data: the dataset or view.
            weights: the digest of the weights, or another name of the origin of the codes.
        """
        return score_requests(
            self.specs_for(data), self.rules, data, weights, self.seed, reduction=self.reduce
        )

    def part_of_run(self, run: Run, dataset: Dataset | None = None) -> Dataset | None:
        """The dataset or view on which a run is scored; None for the one it was trained on.

        All images count alike, unless the request is for `correlated` ones.

        Args:
            run: the run.
            dataset: a dataset that overrides the run's own.

        Raises:
            UsageError: the factors of the given dataset are correlated, or correlated scores of a
                run that was trained without correlated factors.
        """
        trained = run.record.dataset.view
        pairs = correlation_of(run) if self.correlated else ()
        if dataset is not None:
            if not self.correlated:
                check_uncorrelated(dataset)
            if self.split is None and self.factors is None and not pairs:
                return dataset
            split = scored_part(dataset, self.split) or self.split
            return dataset.view(split=split, factors=self.factors, correlate=pairs)
        view: dict[str, Any] = dict(trained) if self.correlated else uncorrelated(trained)
        published = scored_part(run.whole, self.split)
        split = published or self.split
        if split is None and view.get("split") == "train":
            has_test = view.get("hold_out") or "test" in run.whole.splits
            split = "test" if has_test else None
        if split is None and self.factors is None and view == trained:
            return None
        if split is not None:
            if published:  # it holds out images itself
                view = {key: value for key, value in view.items() if key not in HOLD_OUT}
            view["split"] = split
        if self.factors is not None:
            view["factors"] = self.factors
        return run.whole.view(**view)

    def part_of(self, dataset: Dataset) -> Dataset:
        """The view of a dataset to score: as requested, else its test split.

        Raises:
            UsageError: its factors are correlated, or are not although the request asks for it.
        """
        if not self.correlated:
            check_uncorrelated(dataset)
        elif not dataset.correlation:
            raise UsageError(
                f"expected a view of {dataset.name} with correlated factors, for correlated "
                "scores; give `dataset.view(correlate=...)`"
            )
        split = scored_part(dataset, self.split) or self.split
        if split is None and dataset.test_split != "all" and "split" not in dataset.view_record:
            split = dataset.test_split
        if split is None and self.factors is None:
            return dataset
        return dataset.view(split=split, factors=self.factors)


def check_uncorrelated(dataset: Dataset) -> None:
    """Raise a UsageError if factors are correlated, unless scores of correlated ones are meant."""
    if dataset.correlation:
        raise UsageError(
            f"this view of {dataset.name} has correlated factors, which are for training; score "
            "the images without them (`dataset.whole`, or a view without `correlate`), or a run or "
            "encoder with `correlated=True`"
        )


def correlation_of(run: Run) -> tuple[str, ...]:
    """The pairs of factors that were correlated in the training of a run.

    Raises:
        UsageError: there are none.
    """
    pairs: Any = run.record.dataset.view.get("correlate", ())
    if not pairs:
        raise UsageError(
            f"{run.path}: trained without correlated factors, so there are none to score it by; "
            "expected a run of `disentangle train --correlate`"
        )
    return tuple(pairs)


def check_seed(seed: Any) -> int:
    """Convert a seed to an int.

    Raises:
        UsageError: the seed is negative or not a whole number.
    """
    try:
        whole = operator.index(seed)
    except TypeError:
        whole = -1
    if whole < 0 or isinstance(seed, bool):
        raise UsageError(f"seed must be a whole number, at least 0; got {seed!r}")
    return whole
