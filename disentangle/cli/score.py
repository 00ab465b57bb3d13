"""`disentangle score`: score runs, arrays of codes, or any encoder."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from disentangle._utils.console import tell
from disentangle.cli import completion
from disentangle.cli.output import (
    TRAIN_FIRST,
    fail_if_any,
    open_dataset,
    print_aligned,
    score_text,
    show_tables,
    write_result,
    write_tables,
)
from disentangle.cli.parameters import (
    RESULTS,
    AsJson,
    DataDir,
    Device,
    Factors,
    File,
    MetricNames,
    ProtocolName,
    Results,
    RunPaths,
    ScoredSplit,
    ScoreSeed,
    names,
    print_json,
)
from disentangle.cli.run_choice import AllSeeds, Where, choose_runs
from disentangle.errors import DisentangleError, ScoringFailed, UsageError

if TYPE_CHECKING:
    from disentangle.runs.run import Run
    from disentangle.scoring.keep_external import Keep
    from disentangle.scoring.measure import ScoreMapping
    from disentangle.scoring.request import ScoringRequest


OTHER = "Codes and encoders from elsewhere"


def score(
    runs: RunPaths = None,
    all_seeds: AllSeeds = False,
    study: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="study whose runs to score, a subfolder of the results, or in which --name keeps "
            "scores",
            show_default="all; default for --name",
        ),
    ] = None,
    where: Where = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=OTHER,
            help="name to keep the scores by: tables show them beside those of runs",
            show_default="nothing is kept",
        ),
    ] = None,
    encoder_seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            rich_help_panel=OTHER,
            help="seed that the encoder was trained with: encoders of one --name and several "
            "seeds share a row",
        ),
    ] = None,
    metric: MetricNames = None,
    protocol: ProtocolName = "locatello2019",
    seed: ScoreSeed = 0,
    split: ScoredSplit = None,
    factors: Factors = None,
    detail: Annotated[
        bool,
        typer.Option("--detail", help="also print the details of each score, by latent and factor"),
    ] = False,
    as_json: AsJson = False,
    device: Device = "auto",
    codes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=OTHER,
            help="file with arrays codes and factors (npz, HDF5, saved by torch), with columns "
            "code_0, code_1, ... and factors (CSV), or with codes alone (npy)",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=OTHER,
            help="file with the factors of --codes, if they are in another file: npy or CSV",
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="PREFIX:NETWORK|MODULE:NAME|FILE",
            rich_help_panel=OTHER,
            help="network of another library (torchvision:resnet18; see `disentangle list "
            "encoders`), function that maps images to codes (module:NAME or path/file.py:NAME), "
            "or file with a network (ONNX; TorchScript or exported program that you trust)",
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=OTHER,
            help="dataset to encode with --encoder, or that the codes of --codes are of",
            autocompletion=completion.datasets,
        ),
    ] = None,
    takes: Annotated[
        str,
        typer.Option(
            metavar="float|uint8",
            rich_help_panel=OTHER,
            help="pixel type that the encoder expects: float (0 to 1) or uint8 (0 to 255)",
        ),
    ] = "float",
    reduce: Annotated[
        str,
        typer.Option(
            metavar="pca:K",
            rich_help_panel=OTHER,
            help="score the first K principal components of the codes, for codes of hundreds of "
            "latents; named in the column",
            show_default=False,
        ),
    ] = "",
    download: Annotated[
        bool,
        typer.Option(
            "--download",
            rich_help_panel=OTHER,
            help="download weights of --encoder that are not in its library's cache",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="JSON",
            rich_help_panel=OTHER,
            help="file for the full records, grouped by run if runs are scored",
        ),
    ] = None,
    results: Results = RESULTS,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Score runs, or codes and encoders from elsewhere.

    Without RUN, all finished runs are scored. Existing scores are kept.
    """
    from disentangle._utils.console import say
    from disentangle._utils.device import choose_device
    from disentangle.scoring.request import ScoringRequest

    if as_json and detail:
        raise UsageError(
            "give only one of --json and --detail; a run's scores.json and the file of "
            "--output contain the details"
        )
    request = ScoringRequest.of(
        metric,
        protocol=protocol,
        seed=seed,
        split=split,
        factors=names(factors),
        reduce=reduce,
    )
    choose_device(device)
    outside = codes is not None or encoder is not None
    choices = (("RUN", runs), ("--study", study and not (outside and name)), ("--where", where))
    of_runs = " or ".join(option for option, value in choices if value)
    inputs = [o for o, v in (("--codes", codes), ("--encoder", encoder), (of_runs, of_runs)) if v]
    if len(inputs) > 1:
        hint = "; --study requires --name" if of_runs == "--study" and outside else ""
        raise UsageError(f"give only one of {' and '.join(inputs)}{hint}")
    if encoder is None and takes != "float":
        raise UsageError("--takes requires --encoder")
    if not outside and dataset is not None:
        raise UsageError("--dataset requires --encoder or --codes; a run has its own dataset")
    if not outside and (name is not None or encoder_seed is not None):
        raise UsageError(
            "--name and --encoder-seed require --encoder or --codes; `disentangle runs name` names "
            "a run"
        )
    if encoder_seed is not None and name is None:
        raise UsageError("--encoder-seed requires --name")
    if encoder is None and download:
        raise UsageError("--download requires --encoder, whose weights it downloads")
    if reduce and not outside:
        raise UsageError("--reduce requires --encoder or --codes; a run is scored by its latents")
    if labels is not None and codes is None:
        raise UsageError("--labels requires --codes")
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        raise UsageError(f"--output {output}: expected a file name in an existing folder")
    keep = kept(name, encoder_seed, results, study) if name is not None else None
    opening = {"data_dir": data_dir, "file": file}
    if codes is not None:
        if dataset is None and (split is not None or factors is not None):
            raise UsageError("--split and --factors require --dataset, got arrays (--codes)")
        opened = None if dataset is None else open_dataset(dataset, **opening)
        scores = score_file(codes, labels, request, dataset=opened, keep=keep)
        show_scores(scores, output, detail, as_json, keep)
    elif encoder is not None:
        if dataset is None:
            raise UsageError("--encoder requires --dataset, the images to encode")
        refuse_run(encoder, results)
        options = {"takes": takes, "device": device, "keep": keep}
        scores = score_reference(encoder, dataset, opening, request, download=download, **options)
        show_scores(scores, output, detail, as_json, keep)
    else:
        check_runs(runs or (), results)
        loaded, problems = choose_runs(
            runs, results, study, where, all_seeds=all_seeds, included=False
        )
        for run in loaded:
            run.data_dir, run.file = data_dir or run.data_dir, file or run.file
        ready = [run for run in loaded if run.finished or runs]
        if len(ready) < len(loaded):
            say(f"skipping unfinished runs: {len(loaded) - len(ready)}")
        if not ready and not problems:
            raise DisentangleError(f"{results}: no finished runs. {TRAIN_FIRST}")
        scored, failures = score_runs(ready, request, output, device, detail, as_json)
        problems += failures
        written, unwritten = write_tables(results, scored)
        if not written and not unwritten and scored:
            say(
                "Scores are stored in each run's scores.json. No table was written, because none "
                f"of these runs is in {results}. To write tables, give the folder that contains "
                "the runs as `--results FOLDER`."
            )
        for path in [*written, output] if output and scored else written:
            if not as_json:
                typer.echo(path)
        if any(run.unwritten for run in scored) and output is None:
            unwritten.append("`--output FILE` writes the scores elsewhere")
        fail_if_any([*problems, *unwritten])


def check_runs(runs: Sequence[Path], results: Path) -> None:
    """Raise if a file is given in place of a run, and name the option that takes it."""
    for path in runs:
        options = options_for(path)
        if options and not is_run(path, results):
            commands = " or ".join(f"`disentangle score {option}`" for option in options)
            raise UsageError(f"{path}: expected a run, got the name of a file; use {commands}")


def options_for(path: Path) -> list[str]:
    """The options that take a file, by its suffix, with the file."""
    from disentangle.scoring.code_files import SUFFIXES
    from disentangle.scoring.encoder_loading import SUFFIXES as ENCODERS

    suffix = path.suffix.lower().partition(":")[0]
    options = []
    if suffix in SUFFIXES:
        alone = " --labels FACTORS" if suffix == ".npy" else ""
        options.append(f"--codes {path}{alone}")
    if suffix in (*ENCODERS, ".py"):
        name = ":NAME" if suffix == ".py" and ":" not in path.suffix else ""
        options.append(f"--encoder {path}{name} --dataset NAME")
    return options


def is_run(path: Path, results: Path) -> bool:
    """True if a run is given by its folder, name or id."""
    from disentangle.runs.labels import find_run

    try:
        return find_run(path, results).is_dir()
    except DisentangleError:
        return False


def score_runs(
    runs: Sequence["Run"],
    request: "ScoringRequest",
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
    from disentangle._utils.console import counting, say
    from disentangle.contracts.isolation import refusal
    from disentangle.runs.score_records import ScoreFile
    from disentangle.score_tables.build import make_tables
    from disentangle.scoring.score_runs import score_run

    scored: list[Run] = []
    problems: list[str] = []
    results_of: dict[str, ScoreMapping] = {}
    records: dict[str, Any] = {}
    for run in runs:
        with counting(f"encoding {run.record.dataset.name}") as progress:
            try:
                scores = score_run(run, request, device=device, progress=progress, say=say)
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


def no_score(scored: Sequence["ScoreMapping"]) -> list[str]:
    """The problem that not one score could be computed, with the reason if there is only one."""
    reasons = {why for scores in scored for why in scores.unavailable.values()}
    if any(scored) or not reasons or any(scores.failed for scores in scored):
        return []
    return [f"no score could be computed: {min(reasons) if len(reasons) == 1 else 'see above'}"]


def kept(name: str, seed: int | None, results: Path, study: str | None) -> "Keep":
    """How scores are kept; see `Keep`."""
    from disentangle.scoring.keep_external import Keep

    return Keep(name, seed, results, study)


def score_file(
    path: Path, labels: Path | None, request: "ScoringRequest", **options: Any
) -> "ScoreMapping":
    """Score the codes in a file, with the factors in it or in the file `labels`.

    `options` are those of `score_arrays`.
    """
    from disentangle.scoring.code_files import read_codes
    from disentangle.scoring.encoders import file_name
    from disentangle.scoring.score_external import score_arrays

    inputs = read_codes(path, labels)
    origin = {"file": file_name(path)} | ({"labels": file_name(labels)} if labels else {})
    try:
        return score_arrays(request, **inputs, origin=origin, **options)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def refuse_run(reference: str, results: Path) -> None:
    """Raise a UsageError if a run is given as an encoder, by its folder, name or id."""
    from disentangle.runs.labels import find_run
    from disentangle.runs.layout import RECORD

    if ":" in reference or Path(reference).is_file():
        return
    try:
        run = find_run(reference, results)
    except DisentangleError:
        return
    if (run / RECORD).exists():
        raise UsageError(
            f"--encoder {reference} is a run: score it by `disentangle score {reference}`. To "
            f"score it on other images, `disentangle export {reference} --format pt2 -o FOLDER` "
            "and give `--encoder FOLDER/encoder.pt2`"
        )


def score_reference(
    reference: str,
    dataset: str,
    opening: Mapping[str, Any],
    request: "ScoringRequest",
    *,
    download: bool,
    **options: Any,
) -> "ScoreMapping":
    """Score the encoder that a reference names; `options` are those of `score_function`."""
    from disentangle._utils.console import counting, say
    from disentangle.scoring.encoder_loading import load_encoder
    from disentangle.scoring.score_external import score_function

    encoder = load_encoder(reference, download=download)
    opened = open_dataset(dataset, **opening)
    with counting(f"encoding {opened.name}") as progress:
        return score_function(encoder, opened, request, progress=progress, say=say, **options)


def show_scores(
    scores: "ScoreMapping", output: Path | None, detail: bool, as_json: bool, keep: "Keep | None"
) -> None:
    """Print scores, one per line, and write their records to `output` if given.

    If they are kept under a name, the tables of the results folder are written again.
    """
    from disentangle._utils.console import say
    from disentangle.runs.score_records import ScoreFile

    problems = [f"scores not written: {scores.unwritten}"] if scores.unwritten else []
    if output is not None:
        text = ScoreFile(scores=scores.records).model_dump_json(indent=2) + "\n"
        problems += write_result(output, text)
    if as_json:
        print_json(scores.as_dict())
    else:
        rows = [(name, score_text(name, value, 4)) for name, value in scores.items()]
        rows += [(name, f"n/a: {reason}") for name, reason in scores.unavailable.items()]
        print_aligned(rows)
    if detail:
        show_details(scores)
    written = [output] if output is not None and not problems else []
    if keep is None:
        say("The scores are not kept. Give --name NAME to keep them for tables.")
    elif not scores.unwritten:
        tables, unwritten = write_tables(keep.results)
        written, problems = [*tables, *written], [*problems, *unwritten]
    for path in written:
        if not as_json:
            typer.echo(path)
    fail_if_any([*scores.failed.values(), *problems, *no_score([scores])])


def show_details(scores: "ScoreMapping") -> None:
    """Print the details of scores: one row per latent, one column per factor."""
    from disentangle.runs.records import describe
    from disentangle.score_tables.cells import whole

    for record in scores.records:
        for name, detail in record.detail.items():
            typer.echo("")
            knobs = f" [{describe(dict(record.key.knobs))}]" if record.key.knobs else ""
            axes = " and ".join(detail.axes)
            tell(f"{name}{knobs} ({record.representation} representation), by {axes}")
            if detail.about:
                tell(detail.about)
            values = [v if isinstance(v, list) else [v] for v in detail.values]
            decimals = 0 if whole(v for row in values for v in row) else 3
            if detail.axes == ("factor",):
                values = [[row[0] for row in values]]
            rows = [["", *record.factors]] if detail.axes[-1] == "factor" else []
            for number, row in enumerate(values):
                label = f"z{number}" if detail.axes[0] == "latent" else ""
                rows.append([label, *("n/a" if v is None else f"{v:.{decimals}f}" for v in row)])
            print_aligned(rows, numbers=len(rows[0]) - 1)
