"""Scores of baselines (oracle, noise, untrained controls): the scale on which to read a score."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.device import choose_device
from disentangle._utils.files import write_text
from disentangle._utils.notebook import baselines_line, preparing_line
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.source import Source
from disentangle.data.loading import opened
from disentangle.errors import (
    MetricFailed,
    Unavailable,
    UnwrittenWarning,
    UsageError,
    suggestion,
    true_name,
)
from disentangle.runs.layout import folder_name
from disentangle.runs.records import DatasetRecord, read_record
from disentangle.runs.score_records import DEFAULT_PROTOCOL, Score, ScoreFile
from disentangle.scoring.controls import CONTROLS, BaselineContext
from disentangle.scoring.measure import ScoreMapping, measure
from disentangle.scoring.request import ScoringRequest


def baselines(
    dataset: Dataset | str,
    metrics: Iterable[str] | None = None,
    *,
    only: Sequence[str] | None = None,
    seed: int = 0,
    protocol: str | Path = DEFAULT_PROTOCOL,
    split: str | None = None,
    factors: Sequence[str] | None = None,
    correlated: bool = False,
    results: str | Path = "results",
    device: str = "auto",
    progress: Progress | None = None,
    say: Say = silent,
) -> dict[str, ScoreMapping]:
    """Score the baselines of a dataset; write the scores to `results`, where tables find them.

    Args:
        dataset: a registered name, or an opened dataset or view.
        metrics: see `score` (also for `seed`, `protocol`, `split` and `factors`).
        only: names of baselines [default: all].
        seed: seed of the metrics' sampling and of random baselines.
        protocol: the name of a protocol, or the path of a TOML file.
        split: the split to score [default: `test`, if the dataset has one].
        factors: the factors to score, overriding the dataset's choice.
        correlated: whether images are drawn by the correlated factors of the view `dataset`.
        results: the results folder.
        device: the device that encodes images.
        progress: called while images are encoded [default: a line in a notebook].
        say: called with the name of each baseline before it is scored.

    Returns:
        The scores by baseline. `.unavailable` holds the reason for each missing score, `.failed`
        the errors of metrics that failed.

    Raises:
        UsageError: an unknown baseline, metric or knob.
    """
    request = ScoringRequest.of(
        metrics,
        protocol=protocol,
        seed=seed,
        split=split,
        factors=factors,
        correlated=correlated,
    )
    choose_device(device)  # a typo shows before the dataset is opened
    known_baselines(only)
    part = request.part_of(opened(dataset, say, preparing_line(progress)))
    with baselines_line(progress, say) as (encoding, scoring):
        scores = score_baselines(
            part,
            request,
            only=only,
            results=results,
            device=device,
            progress=encoding,
            say=scoring,
        )
    if problems := unwritten_of(scores):
        warnings.warn(f"scores were not written: {'; '.join(problems)}", UnwrittenWarning, 2)
    return scores


def unwritten_of(scores: Mapping[str, ScoreMapping]) -> list[str]:
    """The files of scores that could not be written, each with the reason."""
    return list(dict.fromkeys(each.unwritten for each in scores.values() if each.unwritten))


def score_baselines(
    part: Dataset,
    request: ScoringRequest,
    *,
    only: Sequence[str] | None = None,
    results: str | Path = "results",
    device: str = "auto",
    progress: Progress = silent,
    say: Say = silent,
) -> dict[str, ScoreMapping]:
    """Score baselines on a dataset or view; see `baselines`."""
    torch_device = choose_device(device)
    data = DatasetRecord.of(part)
    folder = Path(results) / "baselines" / f"{folder_name(data.name)}-{data.fingerprint[:10]}"
    if line := request.defaults_for(data):
        say(line)
    scores = {}
    for name in known_baselines(only) or CONTROLS:
        path = folder / f"{name}.json"
        requests = request.scores_of(data, f"baseline {name}")
        kept = list(read_baseline(path))
        failed: dict[str, str] = {}
        unwritten = ""
        missing = [one for one in requests if not one.among(kept)]
        if missing:
            say(f"{data.name}: {name}")
            source: Source[Any] | str
            try:
                disjoint = request.rules.disjoint
                context = BaselineContext(part, request.seed, torch_device, progress, disjoint)
                source = CONTROLS[name](context)
            except Unavailable as error:
                source = str(error)
            for one in missing:
                try:
                    kept += measure(one, source)
                except MetricFailed as error:
                    failed[one.metric.name] = str(error)
                    continue
                unwritten = write_baseline(path, kept)
        kept = [score for one in requests for score in one.among(kept)]
        scores[name] = ScoreMapping(kept, failed, unwritten)
    return scores


def write_baseline(path: Path, scores: Sequence[Score]) -> str:
    """Write the scores of a baseline to its file; return why that failed, empty if it did not."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, ScoreFile(scores=tuple(scores)).model_dump_json(indent=2) + "\n")
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    return ""


def known_baselines(names: Iterable[str] | None) -> list[str] | None:
    """The names of baselines, given in any case; None stays None.

    Raises:
        UsageError: a name is not that of a baseline.
    """
    known = None if names is None else [true_name(name, CONTROLS) for name in names]
    for name in known or ():
        if name not in CONTROLS:
            raise UsageError(f"no baseline '{name}'{suggestion(name, CONTROLS, option='--only')}")
    return known


def read_baseline(path: Path) -> tuple[Score, ...]:
    """Read the scores in a baseline's file; none if there is no file."""
    try:
        return read_record(ScoreFile, path).scores
    except FileNotFoundError:
        return ()


def read_baselines(results: str | Path) -> dict[str, list[Score]]:
    """Read all scores of each baseline in a results folder."""
    scores: dict[str, list[Score]] = {}
    for name in CONTROLS:
        for path in sorted(Path(results, "baselines").glob(f"*/{name}.json")):
            scores.setdefault(name, []).extend(read_baseline(path))
    return scores
