"""The verbs `train` and `resume`: from names and options to a finished run."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from disentangle._utils.callbacks import Progress, Report, Say, silent
from disentangle._utils.device import choose_device
from disentangle._utils.versions import now
from disentangle.contracts.common_options import Training
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.model import Model
from disentangle.data.request import DatasetRequest
from disentangle.errors import DisentangleError, TrainingFailed, UsageError
from disentangle.runs.checkpoint import digest
from disentangle.runs.layout import RECORD, run_folder
from disentangle.runs.records import PeriodicRecord
from disentangle.runs.run import Run, load_run
from disentangle.training.collapse import one_line
from disentangle.training.configuration import (
    ModelRequest,
    TrainingPlan,
    advice,
    check_every,
    kl_weight,
)
from disentangle.training.loop import fit
from disentangle.training.monitor import watching
from disentangle.training.periodic import PeriodicActions, periodic_record


def train(
    model: str | type[Model],
    dataset: str | Dataset,
    *,
    device: str = "auto",
    checkpoint_every: int | None = None,
    results: str | Path = "results",
    study: str = "default",
    data_dir: str | Path | None = None,
    file: str | Path | None = None,
    download: bool = False,
    image_size: int | None = None,
    channels: int | None = None,
    split: str | None = None,
    factors: Sequence[str] | None = None,
    hold_out: Sequence[str] = (),
    hold_out_seed: int = 0,
    preset: str | None = None,
    keep: str | None = None,
    score_every: int | None = None,
    metrics: Iterable[str] | None = None,
    figures: bool = True,
    report: Report = silent,
    say: Say = silent,
    progress: Progress = silent,
    **options: Any,
) -> Run:
    """Train a model on a dataset; return the run, finished.

    The same call again returns the finished run, or goes on with an unfinished one.

    Args:
        model: a registered name, or a class.
        dataset: a registered name, a path to your own images, or an opened dataset or view.
        device: `auto` (CUDA, else MPS, else the CPU) or a device's name.
        checkpoint_every: steps between checkpoints; a tenth of the steps, at most 5,000, unless
            given.
        results: the folder below which the run's folder is made.
        study: the folder in it of runs that belong together.
        data_dir: where datasets keep what they prepare.
        file: the dataset's own file or folder, where the user has it.
        download: whether the dataset may be downloaded.
        image_size: the side of your own images, in pixels; see `own.open_own`.
        channels: of your own images, 1 (grey) or 3 (RGB).
        split: the part to train on; the dataset's own choice unless given. See `Dataset.view`.
        factors: the factors to score, in place of the dataset's own choice.
        hold_out: what not to train on: a share (`"0.2"`) or combinations (`"shape=heart"`).
        hold_out_seed: of a share that is held out.
        preset: the name of a paper's settings, which go before the dataset's and the plugins' own,
            and after what is given here.
        keep: `every:N`, to keep the weights after every N steps for good, in `history`.
        score_every: steps between scores, which go to the log.
        metrics: those that are scored on the way, the default ones unless given; see `score`.
        figures: whether to draw the run's figures at the end; see `figures.files_of`.
        report: called after each step; see `monitor.Report`.
        say: called with lines of text for the user.
        progress: called with the images done, and all, while the dataset is prepared.
        **options: the model's knobs (`beta=4`) and the trainer's (`steps=5000`, `seed=0`,
            `batch_size`, `lr`, `optimizer`, `precision`).

    Raises:
        UsageError: a name, an option or a value that makes no sense.
        DisentangleError: training failed; what was whole is kept.
    """
    request = ModelRequest.of(model, options, preset)
    place = choose_device(device)
    check_every(checkpoint_every)
    periodic = periodic_record(keep, score_every, metrics)
    if not isinstance(dataset, str | Dataset):
        raise UsageError(f"a dataset is a name or an opened Dataset, not {type(dataset).__name__}")
    asked = DatasetRequest.of(
        dataset if isinstance(dataset, str) else "",
        data_dir=data_dir,
        file=file,
        download=download,
        image_size=image_size,
        channels=channels,
        split=split,
        factors=factors,
        hold_out=hold_out,
        hold_out_seed=hold_out_seed,
    )
    whole = dataset if isinstance(dataset, Dataset) else asked.open(say, progress)
    plan = request.on(
        asked.training_part(whole),
        device=place,
        periodic=periodic,
        opening=asked.record_fields,
        say=say,
    )
    run, built = begin(plan, Path(results).expanduser(), study)
    return complete(run, place, checkpoint_every, figures, report, say, built)


def begin(plan: TrainingPlan, results: Path, study: str) -> tuple[Run, Model | None]:
    """Find the run of a plan on disk, or make its folder and record.

    Returns:
        The run, and its model where the run is new.

    Raises:
        UsageError: the run began without what the plan does on the way.
        DisentangleError: the model cannot be built, or the folder cannot be written to.
    """
    run = Run(run_folder(results, study, plan.record), plan.record, plan.dataset)
    if (run.path / RECORD).exists():
        periodic, run = plan.record.midway, load_run(run.path, dataset=plan.dataset)
        if periodic not in (PeriodicRecord(), run.record.midway):
            raise UsageError(
                f"{run.path}: this run began without them, so --keep, --score-every and --metric "
                "come too late; leave them out, or train into another folder with --results"
            )
        return run, None
    model = plan.build()  # what cannot be built leaves no folder behind
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        run.save_record()
    except OSError as error:
        raise DisentangleError(
            f"{results}: cannot write there ({error.strerror}); "
            "choose another folder with --results"
        ) from error
    return run, model


def resume(
    run: str | Path | Run,
    *,
    device: str = "auto",
    checkpoint_every: int | None = None,
    figures: bool = True,
    report: Report = silent,
    say: Say = silent,
) -> Run:
    """Go on with an unfinished run from its last checkpoint; return it, finished."""
    found = run if isinstance(run, Run) else load_run(run)
    chosen = choose_device(device)
    check_every(checkpoint_every)
    return complete(found, chosen, checkpoint_every, figures, report, say)


def complete(
    run: Run,
    device: torch.device,
    checkpoint_every: int | None,
    figures: bool,
    report: Report,
    say: Say,
    model: Model | None = None,
) -> Run:
    """Train what is left of a run, record its end, and draw its figures.

    `model` is the run's model where it has just been built.
    """
    if run.finished:
        say(f"already finished: {run.path}")
    else:
        with run.lock():
            # Another process may have finished it since.
            run.record = load_run(run.path).record
            if not run.finished:
                fit_and_record(run, device, checkpoint_every, report, say, model)
    if figures:
        from disentangle.figures import run_figures

        missing = [name for name in run_figures.files_of(run) if not (run.figures / name).exists()]
        if missing:
            say("drawing the figures")
            run_figures.draw_all(run)
    return run


def fit_and_record(
    run: Run,
    device: torch.device,
    checkpoint_every: int | None,
    report: Report,
    say: Say,
    model: Model | None = None,
) -> None:
    """Train what is left of a run, and record its end."""
    training = Training(**run.record.recipe)
    say(f"training on {device.type}, {torch.get_num_threads()} threads: {run.path}")
    if run.log and not run.checkpoint_path.exists():
        say("no checkpoint is there: training begins again, at its first step")
    model = model or run.build()
    values = run.record.knobs
    weight = kl_weight(type(model), values)
    if weight is not None:
        known = (weight, values["latents"], values["likelihood"], values["variance"])
        if expected := one_line(run.dataset, *known):
            say(expected)
    if rise := values.get("kl_warmup", 0):
        say(f"the weight of the KL term rises from 0 over {rise:,} of {training.steps:,} steps")
        if rise > training.steps:
            say("WARNING: training ends before that rise does: the weight is never reached")
    every = checkpoint_every or min(5_000, max(1, training.steps // 10))
    try:
        with torch.enable_grad(), compiling(training.compile):
            seconds = fit(
                run,
                model,
                run.dataset,
                training,
                device=device,
                checkpoint_every=every,
                report=watching(report, say, advice(run)),
                midway=PeriodicActions(run, say),
            )
    except TrainingFailed as error:
        run.save_record(failed=str(error).removeprefix(f"{run.path}: "))
        raise
    for picture in run.figures.glob("*"):
        picture.unlink()  # of an unfinished model
    run.save_record(
        finished=now(), seconds=seconds, weights=digest(model.state_dict()), failed=None
    )


@contextmanager
def compiling(wanted: bool) -> Iterator[None]:
    """Say in words what a compiler could not do."""
    if not wanted:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException  # seconds of imports

    try:
        yield
    except TorchDynamoException as error:
        reason = str(error).strip().partition("\n")[0]
        raise DisentangleError(f"--compile failed: {reason}; leave it out") from error
