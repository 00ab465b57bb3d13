"""The command line, `disentangle VERB`. Each verb imports its code only when it runs."""

import logging
import sys
import traceback
import warnings
from typing import Annotated, Any

import typer
from rich.markup import escape

from disentangle._utils.console import console, manner, message_width, say
from disentangle._utils.streams import prepare_streams
from disentangle._utils.text import WARNING, wrap
from disentangle._utils.time_limit import exit_at_once
from disentangle._utils.versions import __version__
from disentangle.cli.advise import advise
from disentangle.cli.audit import audit
from disentangle.cli.baselines import baselines
from disentangle.cli.compare import compare
from disentangle.cli.data import data
from disentangle.cli.encode import encode_command
from disentangle.cli.export import export_command
from disentangle.cli.figure import figure, traversals
from disentangle.cli.help import App, Group
from disentangle.cli.importing import import_command
from disentangle.cli.list_plugins import list_all
from disentangle.cli.new import new
from disentangle.cli.output import fail_if_any
from disentangle.cli.parameters import (
    RESULTS,
    CheckpointEvery,
    DataDir,
    Device,
    File,
    Results,
    RunPath,
    TimeLimit,
    Track,
    as_example,
)
from disentangle.cli.report import report
from disentangle.cli.runs import runs
from disentangle.cli.score import score
from disentangle.cli.show import doctor, show
from disentangle.cli.sweep import sweep
from disentangle.cli.table import table
from disentangle.cli.train import training, watch
from disentangle.cli.udr import udr
from disentangle.errors import (
    DisentangleError,
    InputWarning,
    OldSpelling,
    OutOfTime,
    PluginWarning,
    TrackingWarning,
    UsageError,
)


class InOrderOfWork(Group):
    """The top-level commands and groups, listed in the order of `COMMANDS`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names of the commands."""
        return [verb for _, verb, _, _ in COMMANDS]


app = App(
    cls=InOrderOfWork,
    help="Train, score and compare models of disentangled representation learning.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def resume(
    run: RunPath,
    device: Device = "auto",
    checkpoint_every: CheckpointEvery = None,
    figures: Annotated[
        bool | None,
        typer.Option(
            "--figures/--no-figures",
            help="draw the run's figures at the end",
            show_default="as when training started",
        ),
    ] = None,
    track: Track = None,
    time_limit: TimeLimit = None,
    data_dir: DataDir = None,
    file: File = None,
    results: Results = RESULTS,
) -> None:
    """Resume an unfinished run from its last checkpoint."""
    from disentangle._utils.console import say
    from disentangle.cli.stopping import time_limited

    with time_limited(time_limit) as deadline:
        from disentangle.cli.run_choice import open_run
        from disentangle.training import train
        from disentangle.training.progress import ending, following

        with following() as watch:
            resumed = train.resume(
                open_run(run, results, data_dir=data_dir, file=file),
                device=device,
                checkpoint_every=checkpoint_every,
                figures=figures,
                track=track,
                time_limit=deadline,
                report=watch.report,
                say=say,
            )
    for text in ending(resumed):
        say(text, broken="`disentangle" not in text)
    typer.echo(resumed.path)
    fail_if_any([f"figures not written: {resumed.unwritten}"] if resumed.unwritten else [])


TRAIN, SCORE, LOOK = "Train", "Score and compare", "Look"
DATA, WAYS, STUDIES = "Data", "To and from other programs", "Studies"
PLUGINS = "Plugins, advice and diagnosis"
COMMANDS: tuple[tuple[str, str, Any, str], ...] = (
    (TRAIN, "train", training, "train beta-vae dsprites --beta 4"),
    (TRAIN, "resume", resume, "resume results/default/dsprites/beta-vae/3f2a8c91d0"),
    (TRAIN, "watch", watch, "watch results/default/dsprites/beta-vae/3f2a8c91d0"),
    (TRAIN, "runs", runs, "runs name 3f2a8c91d0 first-try"),
    (SCORE, "score", score, "score --metric mig --metric dci"),
    (SCORE, "table", table, "table --where 'beta>=4' --sort mig --baselines"),
    (SCORE, "compare", compare, "compare RUN_A RUN_B --output latents.png"),
    (SCORE, "baselines", baselines, "baselines dsprites --only oracle --only noise"),
    (SCORE, "audit", audit, "audit mig --case noise --case rotated"),
    (SCORE, "udr", udr, "udr --method spearman --samples 2000"),
    (
        LOOK,
        "traverse",
        traversals,
        "traverse RUN --base first --base prior",
    ),
    (LOOK, "figure", figure, "figure effect --score mig --of beta"),
    (LOOK, "report", report, "report results"),
    (DATA, "data", data, "data prepare celeba --file img_align_celeba.zip"),
    (WAYS, "encode", encode_command, "encode RUN --split all -o codes.npz"),
    (WAYS, "export", export_command, "export results -o runs.zip"),
    (WAYS, "import", import_command, "import runs.zip"),
    (STUDIES, "sweep", sweep, "sweep benchmarks/quick.toml --dry-run"),
    (PLUGINS, "list", list_all, "list metrics"),
    (PLUGINS, "show", show, "show beta-vae"),
    (PLUGINS, "advise", advise, "advise beta-vae dsprites --beta 250"),
    (PLUGINS, "doctor", doctor, "doctor"),
    (PLUGINS, "new", new, "new model my-vae"),
)
"""Panel of the help, verb, function or group, and example; in the order of work."""


for panel, verb, command, example in COMMANDS:
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=verb, rich_help_panel=panel, epilog=as_example(example))
    else:
        app.command(verb, rich_help_panel=panel, epilog=as_example(example))(command)


def version(requested: bool) -> None:
    """Print the version and exit, if requested."""
    if requested:
        typer.echo(f"disentangle {__version__}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=version, is_eager=True, help="print the version and exit"
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="print only results, warnings and errors")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="also print the plugins in use, and tracebacks of errors"
        ),
    ] = False,
) -> None:
    """Train, score and compare models of disentangled representation learning."""
    if quiet and verbose:
        raise UsageError("give only one of --quiet and --verbose")
    manner.quiet, manner.verbose = quiet, verbose
    logging.getLogger("disentangle").setLevel(logging.DEBUG if verbose else logging.NOTSET)


def main() -> None:
    """Run the command line; an error by the user prints one line and no traceback."""
    from disentangle.cli.standard_output import results_alone
    from disentangle.contracts.isolation import blame, refusal

    if not prepare_streams():
        say(f"{WARNING}standard output is closed, so results are not shown")
    warnings.showwarning = show_warning
    logging.basicConfig(format="%(message)s")
    try:
        with results_alone():
            app()
    except OutOfTime as error:
        show_error(str(error))
        exit_at_once(error.exit_code)
    except DisentangleError as error:
        show_traceback()
        fail(str(error), error.exit_code)
    except BrokenPipeError:  # the reader of standard output stopped, as `head` does
        sys.exit(1)
    except OSError as error:
        show_traceback()
        fail(refusal(error), 1)
    except MemoryError as error:
        fail(f"not enough memory: {error}", 1)
    except KeyboardInterrupt:
        fail("interrupted", 130)
    except SystemExit as stopped:  # typer turns an interrupt into a silent exit
        if stopped.code == 130:
            fail("interrupted", 130)
        if culprit := blame(stopped):
            fail(f"{culprit} ended the process; a plugin must raise an error instead", 1)
        raise
    except Exception as error:
        show_traceback()
        if culprit := blame(error):
            fail(f"{culprit}. Run `disentangle --verbose ...` for the traceback.", 1)
        say("This is a bug in disentangle. Report it with the output of `disentangle doctor`.")
        raise


def show_warning(
    message: Warning | str, category: type[Warning], *args: Any, **kwargs: Any
) -> None:
    """Print a warning as one line; warnings of libraries only with `--verbose`."""
    shown = PluginWarning | InputWarning | OldSpelling | TrackingWarning
    if issubclass(category, shown) or manner.verbose:
        say(f"{WARNING}{message}")


def show_traceback() -> None:
    """Print the traceback of the current exception, with `--verbose`."""
    if manner.verbose:
        traceback.print_exc()


def fail(message: str, code: int) -> None:
    """Print an error message to standard error and exit with this code."""
    show_error(message)
    sys.stdout.flush()
    sys.exit(code)


def show_error(message: str) -> None:
    """Print an error message to standard error."""
    text = wrap(f"error: {message}", message_width())
    marked = f"[red]error:[/red]{escape(text.removeprefix('error:'))}"
    console.print(marked, soft_wrap=True, highlight=False)
