"""The command line: `disentangle VERB`. Each verb imports what it needs when it runs."""

import logging
import sys
import traceback
import warnings
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from disentangle._utils.console import WARNING, manner, say
from disentangle._utils.versions import __version__
from disentangle.cli.advise import advise
from disentangle.cli.baselines import baselines
from disentangle.cli.compare import compare
from disentangle.cli.data import data
from disentangle.cli.figure import figure, traversals
from disentangle.cli.import_weights import import_command
from disentangle.cli.new import new
from disentangle.cli.parameters import DataDir, Device, DrawFigures, Every, File, RunPath
from disentangle.cli.report import report
from disentangle.cli.score import score
from disentangle.cli.show import doctor, list_all, show
from disentangle.cli.sweep import sweep
from disentangle.cli.table import table
from disentangle.cli.train import training, watch
from disentangle.cli.udr import udr
from disentangle.errors import DisentangleError, PluginWarning, UsageError

app = typer.Typer(
    help="Train, score and compare models of disentangled representation learning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(training, name="train")
app.add_typer(data, name="data")
app.add_typer(figure, name="figure")
for command in (
    watch,
    sweep,
    score,
    table,
    report,
    compare,
    baselines,
    udr,
    advise,
    new,
    doctor,
    show,
):
    app.command()(command)
app.command("list")(list_all)
app.command("import")(import_command)
app.command("traverse")(traversals)


def version(wanted: bool) -> None:
    """Print the version and stop, if it was asked for."""
    if wanted:
        typer.echo(f"disentangle {__version__}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="show the version")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="say nothing but results, warnings and errors")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="also say which plugins are used; errors with their traceback"
        ),
    ] = False,
) -> None:
    """Train, score and compare models of disentangled representation learning."""
    if quiet and verbose:
        raise UsageError("--quiet or --verbose: one of them")
    manner.quiet, manner.verbose = quiet, verbose
    logging.getLogger("disentangle").setLevel(logging.DEBUG if verbose else logging.NOTSET)


@app.command()
def resume(
    run: RunPath,
    device: Device = "auto",
    checkpoint_every: Every = None,
    figures: DrawFigures = True,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Go on with an unfinished run from its last checkpoint."""
    from disentangle._utils.console import following, say
    from disentangle.runs.run import load_run
    from disentangle.training import train

    with following() as watch:
        found = train.resume(
            load_run(run, data_dir=data_dir, file=file),
            device=device,
            checkpoint_every=checkpoint_every,
            figures=figures,
            report=watch.report,
            say=say,
        )
    typer.echo(found.path)


def main() -> None:
    """Run the command line; a user's mistake gives one line and no traceback."""
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
    except SystemExit as stopped:  # what typer makes of an interrupt, without a word
        if stopped.code == 130:
            fail("interrupted", 130)
        if whose := blame(stopped):
            fail(f"{whose}: a plugin is not to end the process", 1)
        raise
    except Exception as error:
        show_traceback()
        if whose := blame(error):
            fail(f"{whose}; with the traceback: disentangle --verbose ...", 1)
        say("A fault of disentangle itself; please report it, with what 'disentangle doctor' says.")
        raise


def show_warning(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    """Show a warning as a line; those of libraries only where the user wants to know all."""
    if issubclass(category, PluginWarning) or manner.verbose:
        say(f"{WARNING}{message}")


def show_traceback() -> None:
    """Print the traceback of what goes wrong, for a user who wants to know all."""
    if manner.verbose:
        traceback.print_exc()


def fail(message: str, code: int) -> None:
    """Print a message to standard error and exit with this code."""
    Console(stderr=True, emoji=False).print(f"[red]error:[/red] {escape(message)}", soft_wrap=True)
    sys.stdout.flush()
    sys.exit(code)
