"""The verb `export`: runs as an archive, or the networks of one run for other programs."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle.errors import UnwrittenWarning, UsageError
from disentangle.exports.archive import write_archive
from disentangle.exports.select import Given, is_folder_of_runs, select
from disentangle.runs.named import RESULTS, load_run
from disentangle.runs.run import Run

if TYPE_CHECKING:
    from disentangle.exports.networks import Exported

Format = Literal["archive", "onnx", "pt2", "state-dict"]
Part = Literal["encoder", "decoder", "both"]


def export(
    run: Given | Sequence[Given],
    output: str | Path,
    *,
    format: Format = "archive",
    part: Part = "both",
    force: bool = False,
    say: Say = silent,
    progress: Progress = silent,
) -> "list[Exported]":
    """Write runs to an archive, or the encoder and the decoder of a run for other programs.

    An archive holds all that runs are, with weights, scores, logs and figures: `import_runs` takes
    them into a results folder on another machine, where they score to the same digits and are
    resumed as they would be here.

    As networks, the encoder maps `images`, float32 [N, C, H, W] in [0, 1], to `mean` and `scale`
    [N, D]; without a posterior, as in QLAE, to `mean` alone. The decoder maps `latents`, float32
    [N, D], to the expected `images`. Each file is run on images of the dataset and compared with
    the run before it gets its name. A JSON file beside it says what it is.

    Args:
        run: a run or external encoder, its folder, name or id, or a results folder, a study or a
            dataset's folder in one; or several of these. Networks are those of one finished run.
        output: the file of the archive, such as `runs.zip`; or the folder of the networks, with
            `encoder.onnx`, `decoder.pt2` and so on, or `model.safetensors` for the state dict of
            both.
        format: `archive`, `onnx` (needs the extra `onnx`), `pt2` (an exported program of torch) or
            `state-dict` (weights alone, as safetensors, which `import_weights` reads).
        part: `encoder`, `decoder` or both; for networks.
        force: whether existing files may be replaced.
        say: called with a line of text on what was written, and if the images for a comparison are
            random ones.
        progress: called with the number of runs in the archive so far and the total.

    Returns:
        The files. A warning names runs that are not in the archive, as another process is training
        them, or as they are damaged.

    Raises:
        UsageError: an unknown format or part, a file where a folder is expected, or the reverse.
        DisentangleError: the run is not finished, a file exists, a package is missing, or the
            written file does not compute what the run does.
    """
    check_choice("format", format, get_args(Format))
    check_choice("part", part, get_args(Part))
    given = [run] if isinstance(run, Given) else list(run)
    path = Path(output).expanduser()
    from disentangle.exports.networks import Exported, export_networks  # imports torch

    if format == "archive":
        check_whole(part)
        archive = write_archive(
            select(given, RESULTS), path, force=force, say=say, progress=progress
        )
        if archive.problems:
            warnings.warn("; ".join(archive.problems), UnwrittenWarning, 2)
        return [Exported(archive.path, {})]
    one = check_single(given, format)
    loaded = one if isinstance(one, Run) else load_run(one)
    return export_networks(loaded, path, format=format, part=part, force=force, say=say)


def check_choice(what: str, given: str, choices: tuple[str, ...]) -> None:
    """Raise if an argument is not one of its choices."""
    if given not in choices:
        raise UsageError(f"expected {what} {', '.join(choices[:-1])} or {choices[-1]}; got {given}")


def check_whole(part: str) -> None:
    """Raise a UsageError if a part of the model is asked for, which an archive does not have."""
    if part != "both":
        raise UsageError(
            f"part {part}: an archive holds whole runs; give a part with the format onnx, pt2 or "
            "state-dict"
        )


def check_single(given: Sequence[Given], format: str) -> Run | str | Path:
    """The one run whose networks are to be exported.

    Raises:
        UsageError: several runs are given, a folder of runs, or an external encoder.
    """
    if len(given) == 1:
        (one,) = given
        if isinstance(one, Run):
            return one
        if isinstance(one, str | Path) and not is_folder_of_runs(Path(one).expanduser()):
            return one
    got = f"{len(given)} of them" if len(given) != 1 else f"{given[0]}"
    raise UsageError(f"format {format}: expected one run, got {got}; an archive holds several")
