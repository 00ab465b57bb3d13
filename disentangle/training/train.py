"""The verbs `train` and `resume`."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from disentangle._utils.callbacks import Progress, Report, Say, silent
from disentangle._utils.device import choose_device
from disentangle._utils.notebook import preparing_line
from disentangle._utils.tensors import digest
from disentangle._utils.text import WARNING, count
from disentangle._utils.time_limit import Alarm, Deadline, TimeLimit
from disentangle._utils.versions import now
from disentangle.contracts.common_options import Training
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.model import Model
from disentangle.contracts.plugin import knobs
from disentangle.data.loading import opened
from disentangle.data.request import DatasetRequest
from disentangle.errors import (
    DisentangleError,
    OutOfTime,
    TrainingFailed,
    UnwrittenWarning,
    UsageError,
)
from disentangle.runs.labels import check_free, check_name, write_label
from disentangle.runs.layout import RECORD, run_folder
from disentangle.runs.named import load_run
from disentangle.runs.records import PeriodicRecord, parts_of
from disentangle.runs.run import Run
from disentangle.training.collapse import one_line
from disentangle.training.configuration import (
    ModelRequest,
    TrainingPlan,
    advice,
    check_every,
    kl_weight,
)
from disentangle.training.loop import fit
from disentangle.training.monitor import announcing, watching
from disentangle.training.periodic import PeriodicActions, periodic_record
from disentangle.training.progress import notebook_report
from disentangle.training.recorded_steps import own_stream
from disentangle.training.tracking import check_trackers, tracking
from disentangle.training.turns import turns_of_thread

FIGURES = 15.0
"""Seconds before a deadline from which on no figures are begun."""


def train(
    model: str | type[Model],
    dataset: str | Dataset,
    *,
    device: str = "auto",
    checkpoint_every: int | None = None,
    results: str | Path = "results",
    study: str = "default",
    name: str | None = None,
    note: str | None = None,
    data_dir: str | Path | None = None,
    file: str | Path | None = None,
    download: bool = False,
    image_size: int | None = None,
    channels: int | None = None,
    split: str | None = None,
    factors: Sequence[str] | None = None,
    hold_out: Sequence[str] = (),
    hold_out_seed: int = 0,
    correlate: str | Sequence[str] = (),
    preset: str | None = None,
    keep: str | None = None,
    score_every: int | None = None,
    metrics: Iterable[str] | None = None,
    figures: bool = True,
    track: Sequence[str] | None = None,
    time_limit: TimeLimit = None,
    report: Report | None = None,
    say: Say = silent,
    progress: Progress | None = None,
    **options: Any,
) -> Run:
    """Train a model on a dataset; return the finished run.

    The same call again returns the finished run, or continues an unfinished one.

    Args:
        model: a registered name, or a class.
        dataset: a registered name, a path to your own images, or an opened dataset or view.
        device: `auto` (CUDA, else MPS, else the CPU) or a device's name.
        checkpoint_every: steps between checkpoints [default: a tenth of the steps, at most 5,000].
        results: the results folder, which contains the run's folder.
        study: the subfolder for runs that belong together.
        name: a name for the run, by which commands find it; it does not change the run's id.
        note: a note that is kept with the run.
        data_dir: the folder of prepared datasets.
        file: the dataset's original file or folder, if the user has it.
        download: True to allow downloading the dataset.
        image_size: the side of the images of a path or reference, in pixels; see `open_own`.
        channels: the channels of the images of a path or reference: 1 (grey) or 3 (RGB).
        split: the split to train on [default: the dataset's choice]; see `Dataset.view`.
        factors: the factors to score, overriding the dataset's choice.
        hold_out: images to hold out: a share (`"0.2"`) or combinations (`"shape=heart"`); see
            `Dataset.view`.
        hold_out_seed: seed for a held-out share.
        correlate: pairs of factors that are correlated in training (`"floor_hue,wall_hue=0.2"`), or
            names of the dataset's settings (`"pair-1"`); see `Dataset.view`.
        preset: the name of a preset that has this model and dataset. It overrides the defaults of
            the dataset and the plugins; options given here override it.
        keep: `every:N`, to keep a permanent checkpoint every N steps, in `history`.
        score_every: steps between scores, which are written to the log.
        metrics: the metrics to score during training [default: the default metrics]; see `score`.
        figures: True to draw the run's figures at the end; see `figures.files_of`.
        track: trackers that show the run, with optional settings: `["wandb:project=mine"]`
            [default: those of an unfinished run]. They change neither the run's id nor its numbers.
        time_limit: stop with a checkpoint by then, counted from this call: `"12m"`, `"1h30m"`, or
            seconds.
        report: called after each step; see `monitor.Report` [default: a line in a notebook shows
            the progress].
        say: called with lines of text for the user.
        progress: called with the number of prepared images and the total, while the dataset is
            prepared [default: a line in a notebook].
        **options: the model's knobs (`beta=4`) and the training options (`steps=5000`, `seed=0`,
            `batch_size`, `lr`, `optimizer`, `precision`).

    Raises:
        UsageError: an unknown name or option, or an invalid value.
        OutOfTime: the time limit was reached; the same call continues.
        DisentangleError: training failed; complete files are kept.
    """
    deadline = Deadline.after(time_limit)
    report, progress = report or notebook_report(), preparing_line(progress)
    request = ModelRequest.of(model, options, preset)
    if name:
        check_name(name)
    torch_device = choose_device(device)
    check_every(checkpoint_every)
    periodic = periodic_record(keep, score_every, metrics)
    trackers = None if track is None else check_trackers(track)
    if not isinstance(dataset, str | Dataset):
        raise UsageError(
            f"a dataset must be a name or an opened Dataset, got {type(dataset).__name__}"
        )
    data_request = DatasetRequest.of(
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
        correlate=correlate,
    )
    request.paper(dataset if isinstance(dataset, str) else dataset.name)  # before it is prepared
    whole = opened(dataset) if isinstance(dataset, Dataset) else data_request.open(say, progress)
    plan = request.on(
        data_request.training_part(whole, say),
        device=torch_device,
        periodic=periodic,
        opening=data_request.record_fields,
        say=say,
    )
    plan = replace(plan, record=plan.record.model_copy(update={"figures": figures}))
    folder = Path(results).expanduser()
    if name:
        check_free(name, run_folder(folder, study, plan.record), folder)
    run, built = begin(plan, folder, study)
    write_label(run.path, name=name, note=note, results=folder)
    with tracked(run, trackers, report, say) as reporting:
        return complete(
            run, torch_device, checkpoint_every, figures, reporting, say, built, deadline
        )


def begin(plan: TrainingPlan, results: Path, study: str) -> tuple[Run, Model | None]:
    """Find the run of a plan on disk, or create its folder and record.

    Returns:
        The run, and its model if the run is new.

    Raises:
        UsageError: the run was started without the plan's periodic actions.
        DisentangleError: the model cannot be built, or the folder cannot be written to.
    """
    run = Run(run_folder(results, study, plan.record), plan.record, plan.dataset)
    if (run.path / RECORD).exists():
        periodic, run = plan.record.midway, load_run(run.path, dataset=plan.dataset)
        if periodic not in (PeriodicRecord(), run.record.midway):
            raise UsageError(
                f"{run.path}: --keep, --score-every and --metric cannot be changed after a run has "
                "started; omit them, or train into another folder with --results"
            )
        return run, None
    model = plan.build()  # first, so that a model that cannot be built leaves no folder
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        run.save_record()
    except OSError as error:
        raise DisentangleError(
            f"{results}: cannot write to this folder ({error.strerror}); "
            "choose another one with --results"
        ) from error
    return run, model


def resume(
    run: str | Path | Run,
    *,
    device: str = "auto",
    checkpoint_every: int | None = None,
    figures: bool | None = None,
    track: Sequence[str] | None = None,
    time_limit: TimeLimit = None,
    report: Report | None = None,
    say: Say = silent,
) -> Run:
    """Continue an unfinished run from its last checkpoint; return the finished run.

    A finished run is returned as it is: its dataset is not opened, and no figure is drawn, unless
    `figures` is True and some are missing. `figures` says whether to draw figures at the end, and
    `track` names trackers [default: both as when training started]. `time_limit` is that of
    `train`.

    Raises:
        UsageError: the run's weights were imported without those that only training needs.
        OutOfTime: the time limit was reached; the same call continues.
        DisentangleError: training failed; complete files are kept.
    """
    deadline = Deadline.after(time_limit)
    report = report or notebook_report()
    loaded = run if isinstance(run, Run) else load_run(run)
    loaded.say = say
    if loaded.record.absent:
        raise UsageError(
            f"{loaded.path}: cannot be trained further, as the imported file had no "
            f"{parts_of(loaded.record.absent)}; score or traverse it, or train a new run"
        )
    torch_device = choose_device(device)
    check_every(checkpoint_every)
    trackers = None if track is None else check_trackers(track)
    if loaded.finished and not figures:
        say(f"already finished: {loaded.path}")
        return loaded
    draw = loaded.record.figures if figures is None else figures
    with tracked(loaded, trackers, report, say) as reporting:
        return complete(
            loaded, torch_device, checkpoint_every, draw, reporting, say, deadline=deadline
        )


@contextmanager
def tracked(run: Run, trackers: Sequence[str] | None, report: Report, say: Say) -> Iterator[Report]:
    """Send a run to trackers while a block trains it; yield the report for the training.

    `trackers` is None for those of an unfinished run.
    """
    if run.finished:
        trackers = trackers or ()
    else:
        with run.lock():
            pass  # a run that another process trains is sent by that one
    with tracking(run.path, trackers, say) as followers:
        yield followers.listening(report)


def complete(
    run: Run,
    device: torch.device,
    checkpoint_every: int | None,
    figures: bool,
    report: Report,
    say: Say,
    model: Model | None = None,
    deadline: Deadline | None = None,
) -> Run:
    """Train the remaining steps of a run, record its end, and draw its figures.

    `model` is the run's model if it has just been built.

    Raises:
        OutOfTime: the deadline is near; what remains is left for another call.
    """
    if run.finished:
        say(f"already finished: {run.path}")
    else:
        with run.lock():
            # Another process may have finished it since.
            run.record = load_run(run.path).record
            if not run.finished:
                fit_and_record(run, device, checkpoint_every, report, say, model, deadline)
    if figures and turns_of_thread() is None:  # else another process draws them, see `group_worker`
        draw_figures(run, say, deadline)
    return run


def draw_figures(run: Run, say: Say, deadline: Deadline | None) -> None:
    """Draw the figures of a finished run, if some are missing.

    Raises:
        OutOfTime: they do not fit into the time that is left.
    """
    from disentangle.figures import run_figures

    if all((run.figures / name).exists() for name in run_figures.files_of(run)):
        return
    late = OutOfTime(
        f"finished, but its figures do not fit into the time limit: {run.path}. "
        f"Run `disentangle resume {run.path} --figures` to draw them."
    )
    if deadline is not None and deadline.left < FIGURES:
        raise late
    say("drawing the figures")
    try:
        run_figures.draw_all(run)
    except Alarm:
        raise late from None
    except OSError as error:  # the run itself is complete
        run.unwritten = f"{error.filename or run.figures}: {error.strerror or error}"
        warnings.warn(f"figures not written: {run.unwritten}", UnwrittenWarning, 3)


def fit_and_record(
    run: Run,
    device: torch.device,
    checkpoint_every: int | None,
    report: Report,
    say: Say,
    model: Model | None = None,
    deadline: Deadline | None = None,
) -> None:
    """Train the remaining steps of a run and record its end."""
    training = Training(**run.record.recipe)
    say(f"training on {device.type}, {count(torch.get_num_threads(), 'thread')}: {run.path}")
    if run.log and not run.checkpoint_path.exists():
        say("there is no checkpoint: training restarts at the first step")
    model = model or run.build()
    for text in remarks(run, type(model)):
        say(text)
    every = checkpoint_every or min(5_000, max(1, training.steps // 10))
    try:
        with (
            torch.enable_grad(),
            compiling(training.compile),
            own_stream(training, device),
        ):
            seconds = fit(
                run,
                model,
                run.dataset,
                training,
                device=device,
                checkpoint_every=every,
                report=announcing(watching(report, say, advice(run, type(model))), say, device),
                midway=PeriodicActions(run, say),
                deadline=deadline,
            )
    except TrainingFailed as error:
        run.save_record(failed=str(error).removeprefix(f"{run.path}: "))
        raise
    for picture in run.figures.glob("*"):
        picture.unlink()  # it shows an unfinished model
    run.save_record(
        finished=now(), seconds=seconds, weights=digest(model.state_dict()), failed=None
    )


def remarks(run: Run, kind: type[Model]) -> Iterator[str]:
    """What its settings let expect of a training, in lines: correlation, collapse, warm-ups."""
    values, steps = run.record.knobs, int(run.record.recipe["steps"])
    if pairs := run.record.dataset.view.get("correlate"):
        yield correlation(pairs, run.dataset)
    weight = kl_weight(kind, values)
    if weight is not None:
        arguments = (weight, values["latents"], values["likelihood"], values["variance"])
        if prediction := one_line(run.dataset, *arguments):
            yield prediction
    if rise := values.get("kl_warmup", 0):
        yield f"the weight of the KL term rises from 0 over {rise:,} of {steps:,} steps"
        if rise > steps:
            yield f"{WARNING}training ends before the warm-up, so the KL never has its full weight"
    for name, knob in knobs(kind).items():
        rise = values.get(name, knob.default) if knob.rise else 0
        if rise > steps:
            yield (
                f"{WARNING}training ends after {steps:,} steps, before the end of "
                f"the {rise:,} steps of `--{name.replace('_', '-')}`"
            )


def correlation(pairs: Any, dataset: Dataset) -> str:
    """A line about correlated factors: how much the training sees of the images."""
    varied = 1 / float((dataset.chances**2).sum())
    return (
        f"correlated factors {' and '.join(pairs)}: training draws images by weight, effectively "
        f"{varied:,.0f} of {len(dataset):,}; scores are of uncorrelated images"
    )


@contextmanager
def compiling(wanted: bool) -> Iterator[None]:
    """Turn a compiler's exception into a readable error."""
    if not wanted:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException  # seconds of imports

    try:
        yield
    except TorchDynamoException as error:
        reason = str(error).strip().partition("\n")[0]
        raise DisentangleError(f"--compile failed: {reason}; train without --compile") from error
