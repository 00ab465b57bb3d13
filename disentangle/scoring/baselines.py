"""What a score is worth: the best codes that there can be, noise, and untrained controls, scored.

A trained model's score means little alone.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.device import choose_device
from disentangle._utils.files import write_text
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.source import Source
from disentangle.data.loading import load_dataset
from disentangle.errors import MetricFailed, Unavailable, UsageError, suggestion
from disentangle.runs.layout import folder_name
from disentangle.runs.records import DatasetRecord, read_record
from disentangle.runs.score_records import Score, ScoreFile
from disentangle.scoring.controls import CONTROLS, BaselineContext
from disentangle.scoring.measure import ScoreMapping, measure
from disentangle.scoring.protocol import DEFAULT
from disentangle.scoring.request import ScoringRequest


def baselines(
    dataset: Dataset | str,
    metrics: Iterable[str] | None = None,
    *,
    only: Sequence[str] | None = None,
    seed: int = 0,
    protocol: str | Path = DEFAULT,
    split: str | None = None,
    factors: Sequence[str] | None = None,
    results: str | Path = "results",
    device: str = "auto",
    progress: Progress = silent,
    say: Say = silent,
) -> dict[str, ScoreMapping]:
    """Score what tells how much a score is worth; write it below `results` for tables to show.

    Args:
        dataset: a registered name, or an opened dataset or view.
        metrics: see `score`; `seed`, `protocol`, `split` and `factors` likewise.
        only: names of baselines; all unless given.
        seed: of the metrics' sampling, and of all that is random in a baseline.
        protocol: the name of a protocol, or the path of a TOML file of your own.
        split: the part to score; its split `test`, where the dataset has one, unless given.
        factors: the factors to score, in place of the dataset's own choice.
        results: the results folder.
        device: where images are encoded.
        progress: called while images are encoded.
        say: called with the name of each baseline when its turn comes.

    Returns:
        The scores by baseline; `.unavailable` says of others why they could not be had, `.failed`
        of which metrics that is a fault.

    Raises:
        UsageError: an unknown baseline, metric or knob.
    """
    request = ScoringRequest.of(metrics, protocol=protocol, seed=seed, split=split, factors=factors)
    choose_device(device)  # a typo shows before the dataset is opened
    check_names(only or ())
    opened = load_dataset(dataset, say=say) if isinstance(dataset, str) else dataset
    return score_baselines(
        request.part_of(opened),
        request,
        only=only,
        results=results,
        device=device,
        progress=progress,
        say=say,
    )


def score_baselines(
    part: Dataset,
    request: ScoringRequest,
    *,
    only: Sequence[str] | None = None,
    results: str | Path = "results",
    device: str = "auto",
    progress: Progress = silent,
    say: Say = lambda text: None,
) -> dict[str, ScoreMapping]:
    """Score baselines on a dataset or view; see `baselines`."""
    place = choose_device(device)
    data = DatasetRecord.of(part)
    folder = Path(results) / "baselines" / f"{folder_name(data.name)}-{data.fingerprint[:10]}"
    found = {}
    for name in only or CONTROLS:
        path = folder / f"{name}.json"
        requests = request.scores_of(data, f"baseline {name}")
        kept = list(read_baseline(path))
        failed: dict[str, str] = {}
        missing = [one for one in requests if not one.among(kept)]
        if missing:
            say(f"{data.name}: {name}")
            source: Source[Any] | str
            try:
                disjoint = request.rules.disjoint
                context = BaselineContext(part, request.seed, place, progress, disjoint)
                source = CONTROLS[name](context)
            except Unavailable as error:
                source = str(error)
            for one in missing:
                try:
                    kept += measure(one, source)
                except MetricFailed as error:
                    failed[one.metric.name] = str(error)
                    continue
                folder.mkdir(parents=True, exist_ok=True)
                write_text(path, ScoreFile(scores=tuple(kept)).model_dump_json(indent=2) + "\n")
        found[name] = ScoreMapping([score for one in requests for score in one.among(kept)], failed)
    return found


def check_names(names: Iterable[str]) -> None:
    """Refuse names that no baseline has."""
    for name in names:
        if name not in CONTROLS:
            raise UsageError(f"no baseline '{name}'{suggestion(name, CONTROLS)}")


def read_baseline(path: Path) -> tuple[Score, ...]:
    """Return the scores that a baseline's file holds."""
    try:
        return read_record(ScoreFile, path).scores
    except FileNotFoundError:
        return ()


def read_baselines(results: str | Path) -> dict[str, list[Score]]:
    """Return all scores of each baseline below a results folder."""
    found: dict[str, list[Score]] = {}
    for name in CONTROLS:
        for path in sorted(Path(results, "baselines").glob(f"*/{name}.json")):
            found.setdefault(name, []).extend(read_baseline(path))
    return found
