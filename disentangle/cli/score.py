"""`disentangle score`: score runs, arrays of codes, or any encoder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from disentangle.cli import completion
from disentangle.cli.output import (
    TRAIN_FIRST,
    open_dataset,
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
    ScoredSplits,
    ScoreSeed,
    names,
)
from disentangle.cli.run_choice import AllSeeds, Where, choose_runs, names_run
from disentangle.cli.score_trained import score_trained
from disentangle.cli.show_scores import show_scores
from disentangle.errors import DisentangleError, UsageError

if TYPE_CHECKING:
    from disentangle.runs.run import Run
    from disentangle.scoring.keep_external import Keep
    from disentangle.scoring.measure import ScoreMapping
    from disentangle.scoring.request import ScoringRequest


OTHER = "Codes and encoders from elsewhere"
OUTSIDE = "--encoder or --codes"


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
    split: ScoredSplits = None,
    factors: Factors = None,
    correlated: Annotated[
        bool,
        typer.Option(
            "--correlated",
            help="draw images by the correlated factors of the run's training (--correlate), in "
            "columns of their own; without RUN, score the runs that have some",
        ),
    ] = False,
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
            "code_0, code_1, ... and factors (CSV, Parquet), or with codes alone (npy)",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=OTHER,
            help="file with the factors of --codes, if they are in another file: npy, CSV or "
            "Parquet",
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FACTOR:KIND",
            rich_help_panel=OTHER,
            help="what the values of a factor of --codes mean: categorical, ordinal, continuous or "
            "cyclic=PERIOD, as in angle:cyclic=360; repeatable",
            show_default="guessed from the values",
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
            metavar="NAME",
            rich_help_panel=OTHER,
            help="reduction of the codes, named in the column: pca:K scores the first K principal "
            "components of codes of hundreds of latents; pca1, pcaK, mean, norm and flatten reduce "
            "codes in blocks [N, B, M]; index and one-hot number the values of discrete codes",
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
    parts: list[str | None] = [*dict.fromkeys(names(split) or ())] or [None]
    requests = [
        ScoringRequest.of(
            metric,
            protocol=protocol,
            seed=seed,
            split=part,
            factors=names(factors),
            correlated=correlated,
            reduce=reduce,
        )
        for part in parts
    ]
    request = requests[0]
    choose_device(device)
    outside = codes is not None or encoder is not None
    of_runs = [("RUN", runs), ("--study", study and not (outside and name)), ("--where", where)]
    check_inputs(codes, encoder, [option for option, value in of_runs if value])
    if outside and correlated:
        raise UsageError(
            f"--correlated requires RUN, whose training has correlated factors, got {OUTSIDE}"
        )
    check_needs(
        ("--takes", takes != "float", "--encoder", encoder is not None),
        ("--dataset", dataset, OUTSIDE, outside, "; a run has its own dataset"),
        ("--name", name is not None, OUTSIDE, outside, "; `disentangle runs name` names a run"),
        ("--encoder-seed", encoder_seed is not None, "--name", name is not None),
        ("--download", download, "--encoder", encoder is not None, ", whose weights it downloads"),
        ("--labels", labels is not None, "--codes", codes is not None),
        ("--kind", kind, "--codes", codes is not None, "; a dataset states the kinds itself"),
        (
            "--encoder",
            encoder is not None,
            "--dataset",
            dataset is not None,
            ", whose images it encodes",
        ),
    )
    if outside and len(requests) > 1:
        raise UsageError(f"--split {split}: several splits are for runs; score one at a time")
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        raise UsageError(f"--output {output}: expected a file name in an existing folder")
    keep = kept(name, encoder_seed, results, study) if name is not None else None
    opening = {"data_dir": data_dir, "file": file}
    if codes is not None:
        if dataset is None and (split is not None or factors is not None):
            raise UsageError("--split and --factors require --dataset, got arrays (--codes)")
        opened = None if dataset is None else open_dataset(dataset, **opening)
        kinds = kinds_given(kind or ())
        scores = score_file(codes, labels, kinds, request, dataset=opened, keep=keep, say=say)
        show_scores(scores, output, detail, as_json, keep)
    elif encoder is not None:
        assert dataset is not None
        refuse_run(encoder, results)
        options = {"takes": takes, "device": device, "keep": keep}
        scores = score_reference(encoder, dataset, opening, request, download=download, **options)
        show_scores(scores, output, detail, as_json, keep)
    else:
        check_runs(runs or (), results, metric or ())
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
        if correlated:
            ready = with_correlation(ready, named=bool(runs))
        score_trained(
            ready,
            requests,
            results,
            problems,
            output=output,
            device=device,
            detail=detail,
            as_json=as_json,
        )


def check_inputs(codes: Path | None, encoder: str | None, of_runs: Sequence[str]) -> None:
    """Raise if several inputs are given; `of_runs` are the options that choose runs."""
    outside = [o for o, v in (("--codes", codes), ("--encoder", encoder)) if v is not None]
    inputs = [*outside, *filter(None, [" or ".join(of_runs)])]
    if len(inputs) > 1:
        hint = "; --study requires --name" if [*of_runs] == ["--study"] and outside else ""
        raise UsageError(f"give only one of {' and '.join(inputs)}{hint}")


def with_correlation(runs: "Sequence[Run]", *, named: bool) -> "list[Run]":
    """The runs that were trained with correlated factors.

    Raises:
        UsageError: there are none, or one that was named has none.
    """
    from disentangle._utils.console import say
    from disentangle.scoring.request import correlation_of

    if named:
        for run in runs:
            correlation_of(run)
        return list(runs)
    chosen = [run for run in runs if "correlate" in run.record.dataset.view]
    if runs and not chosen:
        raise UsageError(
            "--correlated: none of these runs was trained with correlated factors, as by "
            "`disentangle train --correlate`"
        )
    if len(chosen) < len(runs):
        say(f"skipping runs trained without correlated factors: {len(runs) - len(chosen)}")
    return chosen


def check_needs(*needs: tuple[Any, ...]) -> None:
    """Raise if an option is given without one that it needs.

    Each need is the option, whether it is given, what it requires, whether that is given, and
    perhaps why.
    """
    for option, given, required, present, *why in needs:
        if given and not present:
            raise UsageError(f"{option} requires {required}{''.join(why)}")


def check_runs(runs: Sequence[Path], results: Path, metrics: Sequence[str]) -> None:
    """Raise if a file or an external encoder is given in place of a run, and say its command."""
    from disentangle.runs.external import find_external
    from disentangle.runs.score_command import score_command

    for path in runs:
        if names_run(path, results):
            continue
        if externals := find_external(path, results):
            command = score_command(externals[0].record, metrics, str(results))
            raise DisentangleError(
                f"'{path}' is an external encoder, not a run: add scores to it by `{command}`"
            )
        if options := options_for(path):
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


def kept(name: str, seed: int | None, results: Path, study: str | None) -> "Keep":
    """How scores are kept; see `Keep`."""
    from disentangle.scoring.keep_external import Keep

    return Keep(name, seed, results, study)


def kinds_given(texts: Sequence[str]) -> dict[str, str]:
    """The kinds of factors, as in `angle:cyclic=360`; a factor's name may have a colon itself."""
    from disentangle.contracts.kinds import Kind

    kinds = {}
    for text in texts:
        factor, _, kind = text.rpartition(":")
        if not factor:
            raise UsageError(
                f"--kind {text}: expected a factor and its kind, such as `--kind angle:cyclic=360`"
            )
        try:
            kinds[factor] = str(Kind.parse(kind))
        except UsageError as error:
            raise UsageError(f"--kind {text}: {error}") from None
    return kinds


def score_file(
    path: Path,
    labels: Path | None,
    kinds: Mapping[str, str],
    request: "ScoringRequest",
    **options: Any,
) -> "ScoreMapping":
    """Score the codes in a file, with the factors in it or in the file `labels`.

    The given kinds take precedence over those in the file; `options` are those of `score_arrays`.
    """
    from disentangle.scoring.code_files import read_codes
    from disentangle.scoring.encoders import file_name
    from disentangle.scoring.score_external import score_arrays

    inputs = read_codes(path, labels)
    inputs["kinds"] = {**inputs.get("kinds", {}), **kinds}
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
