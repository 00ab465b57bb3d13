"""`disentangle train MODEL DATASET`: a subcommand for each model plugin, created on demand."""

from collections.abc import Mapping
from math import inf
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand

from disentangle._utils.text import joined
from disentangle.cli.help import App, Command, Group
from disentangle.cli.list_plugins import about_claims, listing
from disentangle.cli.output import fail_if_any
from disentangle.cli.parameters import (
    RESULTS,
    Channels,
    CheckpointEvery,
    Correlate,
    DataDir,
    DatasetName,
    Device,
    Download,
    DrawFigures,
    Factors,
    File,
    HoldOut,
    HoldOutSeed,
    ImageSize,
    Jobs,
    Keep,
    MetricNames,
    PresetName,
    Results,
    RunName,
    RunNote,
    RunPath,
    ScoreEvery,
    Seeds,
    StudyName,
    TimeLimit,
    Track,
    TrainingSplit,
    as_example,
    names,
)
from disentangle.cli.stopping import time_limited
from disentangle.contracts import registry
from disentangle.contracts.entry_points import OWN
from disentangle.errors import UsageError, suggestion


class ModelGroup(Group):
    """The subcommands of `disentangle train`; a model is imported when its command is used."""

    takes = "MODEL DATASET"

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names of all models without importing them."""
        return list(registry.models.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in for the group's help, which says what the model is."""
        entries = registry.models.entries.get(cmd_name, ())
        about = escape(about_claims(entries)) if entries else ""
        return TyperCommand(cmd_name, help=about, rich_help_panel="Models") if entries else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The model's command, with its hyper-parameters as options."""
        if args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        name = registry.models.true_name(args[0])
        if name not in registry.models.entries:
            hint = suggestion(name, registry.models.entries)
            if "did you mean" not in hint:
                hint = f". Models:\n{listing('models')}"
            raise UsageError(f"no model '{name}'{hint}")
        return name, model_command(name), args[1:]


class TrainingCommand(Command):
    """`disentangle train MODEL`; without anything after it, the datasets are listed."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse the words after the model's name."""
        if not args and not ctx.resilient_parsing:
            raise UsageError(
                f"which dataset? Run `disentangle {ctx.command_path.partition(' ')[2]} DATASET`, "
                f"with the path of your own images or one of\n{listing('datasets')}"
            )
        return super().parse_args(ctx, args)

    def unknown_option(self, option: str, ctx: Any) -> str:
        """What is said of an option that is none of this model's command."""
        name, model = option.lstrip("-").replace("-", "_"), str(ctx.info_name)
        models = hyper_parameters(model)
        others = [other for other, own in models.items() if name in own]
        if not others:
            return super().unknown_option(option, ctx)
        have = "has it" if len(others) == 1 else "have it"
        return (
            f"{model} has no hyper-parameter '{name}' ({joined(others)} {have}); "
            f"it has: {', '.join(models[model]) or 'none of its own'}"
        )


def hyper_parameters(model: str) -> dict[str, list[str]]:
    """The hyper-parameters of a model and of all built-in ones, without those that all have.

    No other plugin is imported, only to name what it has.
    """
    from disentangle.contracts.common_options import Common
    from disentangle.contracts.settings import option_knobs

    shared = option_knobs(Common)
    return {
        name: [knob for knob in option_knobs(registry.models.load(name)) if knob not in shared]
        for name, claims in registry.models.entries.items()
        if name == model or [entry.distribution for entry in claims] == [OWN]
    }


HELP = """Train a model on a dataset.

`disentangle train MODEL --help` lists all options of a model."""

training = App(
    cls=ModelGroup,
    help=HELP,
)


@training.callback(help=HELP)
def train_group() -> None:
    """Train a model on a dataset."""


def watch(
    run: RunPath,
    once: Annotated[bool, typer.Option("--once", help="print the current state and exit")] = False,
    track: Track = None,
    results: Results = RESULTS,
) -> None:
    """Follow a training until it is finished.

    The progress is read from the log of the run. With `--track`, the log is also sent to a tracker,
    and so are the figures and scores of a finished run; with `--once`, what there is now.
    """
    from disentangle._utils.callbacks import silent
    from disentangle._utils.console import say
    from disentangle.cli.run_choice import open_run
    from disentangle.training.follow import follow
    from disentangle.training.progress import following, line
    from disentangle.training.tracking import check_trackers, tracking

    followed = open_run(run, results)
    steps = int(followed.record.recipe["steps"])
    trackers = check_trackers(track or ())
    with tracking(followed.path, trackers, say, patience=inf, warn=False) as sent:
        with following() as display:
            report = silent if once else display.report
            followed = follow(followed, report, once=once)
    state = "finished" if followed.finished else followed.record.failed or "not finished"
    if state == "not finished" and not once:
        state += f" and not running (`disentangle resume {followed.path}` continues it)"
    if log := followed.log:
        state += f": {line(log[-1]['step'], steps, log[-1])}"
    say(state)
    typer.echo(followed.path)
    fail_if_any([f"not tracked: {reason}" for reason in sent.failed])


def model_command(name: str) -> Any:
    """Make the command `disentangle train NAME` from the model's hyper-parameters."""
    from typer.main import get_command

    from disentangle.cli.knob_options import with_knobs
    from disentangle.contracts.common_options import Training
    from disentangle.contracts.plugin import documentation, knobs
    from disentangle.contracts.settings import option_knobs

    model_name, model = name, registry.models.load(name)
    settable = {*option_knobs(model), *knobs(Training)}

    def command(
        ctx: typer.Context,
        dataset: DatasetName,
        preset: PresetName = None,
        device: Device = "auto",
        checkpoint_every: CheckpointEvery = None,
        results: Results = RESULTS,
        study: StudyName = "default",
        name: RunName = None,
        note: RunNote = None,
        data_dir: DataDir = None,
        file: File = None,
        download: Download = False,
        image_size: ImageSize = None,
        channels: Channels = None,
        split: TrainingSplit = None,
        factors: Factors = None,
        hold_out: HoldOut = None,
        hold_out_seed: HoldOutSeed = 0,
        correlate: Correlate = None,
        keep: Keep = None,
        score_every: ScoreEvery = None,
        metric: MetricNames = None,
        figures: DrawFigures = True,
        track: Track = None,
        time_limit: TimeLimit = None,
        seeds: Seeds = None,
        jobs: Jobs = None,
        **options: Any,
    ) -> None:
        settings = {k: options[k] for k in settable if was_given(ctx, k)}
        if seeds is not None and "seed" in settings:
            raise UsageError("give only one of --seed and --seeds")
        if jobs is not None and seeds is None:
            raise UsageError("--jobs requires --seeds")
        arguments = {
            "preset": preset,
            "device": device,
            "checkpoint_every": checkpoint_every,
            "results": results,
            "study": study,
            "name": name,
            "note": note,
            "data_dir": data_dir,
            "file": file,
            "download": download,
            "image_size": image_size,
            "channels": channels,
            "split": split,
            "factors": names(factors),
            "hold_out": hold_out or (),
            "hold_out_seed": hold_out_seed,
            "correlate": correlate or (),
            "keep": keep,
            "score_every": score_every,
            "metrics": metric,
            "figures": figures,
            "track": track,
        }
        with time_limited(time_limit) as deadline:
            if seeds is None:
                train_one(model_name, dataset, settings, {**arguments, "time_limit": deadline})
            else:
                from disentangle.cli.train_seeds import train_seeds

                train_seeds(model_name, dataset, seeds, jobs, settings, arguments, deadline)

    command.__doc__ = escape(documentation(model))
    single = App(add_completion=False)
    trained = with_knobs(command, Training, "Training")
    example = as_example(f"train {name} dsprites --steps 10000 --seed 0")
    single.command(name, cls=TrainingCommand, epilog=example)(
        with_knobs(trained, model, f"Hyper-parameters of {name}")
    )
    return get_command(single)


def train_one(
    model: str, dataset: str, settings: Mapping[str, Any], arguments: Mapping[str, Any]
) -> None:
    """Train one run, and print its path; `arguments` are those of the verb besides settings."""
    from disentangle._utils.console import say
    from disentangle.training import train
    from disentangle.training.progress import ending, following

    with following() as watch:
        run = train.train(
            model,
            dataset,
            report=watch.report,
            progress=watch.progress,
            say=say,
            **arguments,
            **settings,
        )
    for text in ending(run):
        say(text, broken="`disentangle" not in text)
    typer.echo(run.path)
    fail_if_any([f"figures not written: {run.unwritten}"] if run.unwritten else [])


def was_given(ctx: typer.Context, name: str) -> bool:
    """True if the user gave this option explicitly."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")
