"""Score runs one after another, show their scores and write the tables of the results."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from disentangle.cli.output import (
    fail_if_any,
    score_text,
    show_tables,
    write_result,
    write_tables,
)
from disentangle.cli.parameters import print_json
from disentangle.cli.show_scores import no_score, show_details
from disentangle.errors import DisentangleError, ScoringFailed

if TYPE_CHECKING:
    from disentangle.runs.run import Run
    from disentangle.scoring.measure import ScoreMapping
    from disentangle.scoring.request import ScoringRequest


def score_trained(
    runs: Sequence["Run"],
    requests: "Sequence[ScoringRequest]",
    results: Path,
    problems: Sequence[str],
    *,
    output: Path | None,
    device: str,
    detail: bool,
    as_json: bool,
) -> None:
    """Score runs, and write the tables of the results folder.

    Args:
        runs: the runs.
        requests: the scores, one request for each split.
        results: the results folder.
        problems: what went wrong before, which is reported at the end.
        output: a file for the records, if any.
        device: the device for encoding.
        detail: whether details are printed.
        as_json: whether the scores are printed as JSON.

    Raises:
        DisentangleError: something went wrong; the other runs are scored.
    """
    from disentangle._utils.console import say

    scored, failures = score_runs(runs, requests, output, device, detail, as_json)
    written, unwritten = write_tables(results, scored)
    unstored = any(run.unwritten for run in scored)
    if not written and not unwritten and scored:
        stored = "" if unstored else "Scores are stored in each run's scores.json. "
        say(
            f"{stored}No table was written, because none of these runs is in {results}. To write "
            "tables, give the folder that contains the runs as `--results FOLDER`."
        )
    for path in [*written, output] if output and scored else written:
        if not as_json:
            typer.echo(path)
    if unstored and output is None:
        unwritten.append("`--output FILE` writes the scores elsewhere")
    fail_if_any([*problems, *failures, *unwritten])


def score_runs(
    runs: Sequence["Run"],
    requests: "Sequence[ScoringRequest]",
    output: Path | None,
    device: str,
    detail: bool,
    as_json: bool,
) -> tuple[list["Run"], list[str]]:
    """Score runs one after another, and print the tables of those that were scored.

    Their records are written to `output` if given, as a JSON object of one entry per run.

    Returns:
        The runs that were scored, and what went wrong.
    """
    from disentangle._utils.callbacks import once
    from disentangle._utils.console import counting, say
    from disentangle.contracts.isolation import refusal
    from disentangle.runs.score_records import ScoreFile
    from disentangle.score_tables.build import make_tables
    from disentangle.scoring.measure import joined
    from disentangle.scoring.score_runs import score_run

    say_once = once(say)
    scored: list[Run] = []
    problems: list[str] = []
    results_of: dict[str, ScoreMapping] = {}
    records: dict[str, Any] = {}
    for run in runs:
        with counting(f"encoding {run.record.dataset.name}") as progress:
            try:
                scores = joined(
                    score_run(run, request, device=device, progress=progress, say=say_once)
                    for request in requests
                )
            except DisentangleError as error:
                problems.append(str(error))
                if isinstance(error, ScoringFailed):  # its other scores are kept
                    scored.append(run)
                continue
            except OSError as error:
                problems.append(f"{run.path}: {refusal(error)}")
                continue
        scored.append(run)
        if run.unwritten:
            problems.append(f"scores not written: {run.unwritten}")
        results_of[str(run.path)] = scores
        records[str(run.path)] = ScoreFile(scores=scores.records).model_dump(mode="json")
        available = ", ".join(f"{k} {score_text(k, v)}" for k, v in scores.items())
        missing = ", ".join(f"{k} n/a ({why})" for k, why in scores.unavailable.items())
        say(f"{run.path}: {'; '.join(filter(None, [available, missing]))}")
        if detail:
            show_details(scores)
    if output is not None and scored:
        problems += write_result(output, json.dumps(records, indent=2) + "\n")
    if as_json:
        print_json({path: scores.as_dict() for path, scores in results_of.items()})
    elif scored:
        show_tables(make_tables(scored))
    return scored, problems + no_score(list(results_of.values()))
