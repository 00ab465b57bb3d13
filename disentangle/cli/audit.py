"""`disentangle audit`: find out what metrics see, from codes with a known answer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from disentangle._utils.text import count
from disentangle.cli import completion
from disentangle.cli.audit_trained import audit_trained, refuse_with_run
from disentangle.cli.output import fail_if_any
from disentangle.cli.parameters import RESULTS, AsJson, Device, Results, print_json

if TYPE_CHECKING:
    from disentangle.auditing.tables import Audit


def audit(
    metrics: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[METRIC[:SETTING=VALUE,...]]...",
            help="metrics, with optional hyper-parameters",
            show_default="all that need labels, but for those that take minutes",
            autocompletion=completion.metrics,
        ),
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="case to audit, such as 'noise'; repeatable",
            show_default="all; with --quick those that take little time",
            autocompletion=completion.cases,
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="one seed, and only metrics and cases that take little time"),
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="number of seeds of each metric's sampling",
            show_default="3; of slow metrics and with --quick 1",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="seed of factors and codes, and first seed of the metrics")
    ] = 0,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="number of processes", show_default="one per core"),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="exit with code 1 if an expectation does not hold")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="folder for the table (Markdown), all values (CSV, JSON), a figure and a page",
            show_default="none is written",
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="score the checkpoints of a run that was trained with --keep instead: do scores "
            "rise from the untrained network on, and past noise?",
        ),
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
    results: Results = RESULTS,
) -> None:
    """Audit metrics: find out what they see, from codes with a known answer.

    Each case has codes made from known factors, such as the factors rotated, copied or replaced by
    noise. A verdict says whether a score does what the property that it claims to measure requires.
    """
    from disentangle._utils.console import working
    from disentangle._utils.progress_line import CountLine
    from disentangle.auditing.audit import audit as audit_metrics
    from disentangle.auditing.tables import as_dict
    from disentangle.cli.audit_view import show_audit
    from disentangle.reports.audit_files import check_folder

    if run is not None:
        refuse_with_run(
            {"--case": case, "--quick": quick, "--seeds": seeds, "--jobs": jobs, "--output": output}
        )
        audit_trained(
            *(run, metrics),
            seed=seed,
            results=results,
            device=device,
            strict=strict,
            as_json=as_json,
        )
        return
    if output is not None:
        check_folder(output)
    with working(CountLine("{done:,} of {total:,} computations", "audit")) as progress:
        result = audit_metrics(
            None if "all" in (metrics or ["all"]) else metrics,
            cases=case,
            quick=quick,
            seeds=seeds,
            seed=seed,
            jobs=jobs,
            progress=progress,
        )
    problems = written(result, output) if output is not None else []
    if as_json:
        print_json(as_dict(result))
    else:
        show_audit(result)
    if strict and result.failures:
        problems.append(
            f"--strict: {count(len(result.failures), 'cell')} with a failed expectation"
        )
    fail_if_any(problems)


def written(result: "Audit", folder: Path) -> list[str]:
    """Write the files of an audit, and return what went wrong, so that it is shown all the same."""
    from disentangle._utils.console import say
    from disentangle.reports.audit_files import write_audit

    try:
        for path in write_audit(result, folder):
            say(str(path), broken=False)
    except OSError as error:
        return [f"not written: {error.filename or folder}: {error.strerror or error}"]
    return []
