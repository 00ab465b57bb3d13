"""The command line, `disentangle VERB`. Each verb imports its code only when it runs."""

import logging
import sys
import traceback
import warnings
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from disentangle._utils.console import WARNING, manner, say
from disentangle._utils.versions import __version__
from disentangle.cli.advise import advise
from disentangle.cli.baselines import baselines
from disentangle.cli.compare import compare
from disentangle.cli.data import data
from disentangle.cli.figure import figure, traversals
from disentangle.cli.import_weights import import_command
from disentangle.cli.new import new
from disentangle.cli.parameters import (
    CheckpointEvery,
    DataDir,
    Device,
    DrawFigures,
    File,
    RunPath,
    as_example,
)
from disentangle.cli.report import report
from disentangle.cli.runs import runs
from disentangle.cli.score import score
from disentangle.cli.show import doctor, list_all, show
from disentangle.cli.sweep import sweep
from disentangle.cli.table import table
from disentangle.cli.train import training, watch
from disentangle.cli.udr import udr
from disentangle.errors import DisentangleError, PluginWarning, UsageError


class InOrderOfWork(TyperGroup):
    """The top-level commands and groups, listed in the order of `COMMANDS`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names of the commands."""
        return [verb for _, verb, _, _ in COMMANDS]


app = typer.Typer(
    cls=InOrderOfWork,
    help="Train, score and compare models of disentangled representation learning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def resume(
    run: RunPath,
    device: Device = "auto",
    checkpoint_every: CheckpointEvery = None,
    figures: DrawFigures = True,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Resume an unfinished run from its last checkpoint."""
    from disentangle._utils.console import following, say
    from disentangle.cli.run_choice import open_run
    from disentangle.training import train

    with following() as watch:
        resumed = train.resume(
            open_run(run, data_dir=data_dir, file=file),
            device=device,
            checkpoint_every=checkpoint_every,
            figures=figures,
            report=watch.report,
            say=say,
        )
    typer.echo(resumed.path)


TRAIN, SCORE, LOOK = "Train", "Score and compare", "Look"
DATA, STUDIES, PLUGINS = "Data", "Studies", "Plugins, advice and diagnosis"
COMMANDS: tuple[tuple[str, str, Any, str], ...] = (
    (TRAIN, "train", training, "train beta-vae dsprites --beta 4"),
    (TRAIN, "resume", resume, "resume results/default/dsprites/beta-vae/3f2a8c91d0"),
    (TRAIN, "watch", watch, "watch results/default/dsprites/beta-vae/3f2a8c91d0"),
    (TRAIN, "runs", runs, "runs name 3f2a8c91d0 first-try"),
    (SCORE, "score", score, "score --metric mig --metric dci"),
    (SCORE, "table", table, "table --where 'beta>=4' --sort mig --baselines"),
    (SCORE, "compare", compare, "compare RUN_A RUN_B --output latents.png"),
    (SCORE, "baselines", baselines, "baselines dsprites --only oracle --only noise"),
    (SCORE, "udr", udr, "udr --method spearman --samples 2000"),
    (
        LOOK,
        "traverse",
        traversals,
        "traverse RUN --base first --base prior",
    ),
    (LOOK, "figure", figure, "figure sweep --score mig --knob beta"),
    (LOOK, "report", report, "report results"),
    (DATA, "data", data, "data prepare celeba --from img_align_celeba.zip"),
    (STUDIES, "sweep", sweep, "sweep benchmarks/quick.toml --dry-run"),
    (PLUGINS, "list", list_all, "list --check"),
    (PLUGINS, "show", show, "show beta-vae"),
    (PLUGINS, "advise", advise, "advise beta-vae dsprites --beta 250"),
    (PLUGINS, "doctor", doctor, "doctor"),
    (PLUGINS, "new", new, "new model my-vae"),
    (PLUGINS, "import", import_command, "import weights.pt --model vae --dataset dsprites"),
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
    from disentangle.contracts.isolation import blame, prints_told, refusal

    warnings.showwarning = show_warning
    logging.basicConfig(format="%(message)s")
    try:
        with prints_told(lambda text: say(WARNING + text)):
            app()
    except DisentangleError as error:
        show_traceback()
        fail(str(error), error.exit_code)
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
            fail(f"{culprit}: a plugin must not end the process", 1)
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
    if issubclass(category, PluginWarning) or manner.verbose:
        say(f"{WARNING}{message}")


def show_traceback() -> None:
    """Print the traceback of the current exception, with `--verbose`."""
    if manner.verbose:
        traceback.print_exc()


def fail(message: str, code: int) -> None:
    """Print an error message to standard error and exit with this code."""
    Console(stderr=True, emoji=False).print(f"[red]error:[/red] {escape(message)}", soft_wrap=True)
    sys.stdout.flush()
    sys.exit(code)
