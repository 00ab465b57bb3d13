"""The command line: `disentangle VERB`. Each verb imports what it needs when it runs."""

import logging
import sys
import traceback
import warnings
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from disentangle import __version__
from disentangle.cli_compare import advise, baselines, import_command, udr
from disentangle.cli_data import data
from disentangle.cli_figure import traversals
from disentangle.cli_new import new
from disentangle.cli_pair import compare
from disentangle.cli_report import report
from disentangle.cli_score import score
from disentangle.cli_show import doctor, list_all, show
from disentangle.cli_study import figure
from disentangle.cli_sweep import sweep
from disentangle.cli_table import table
from disentangle.cli_train import training, watch
from disentangle.errors import DisentangleError, PluginWarning, UsageError
from disentangle.parameters import DataDir, Device, DrawFigures, Every, File, RunPath
from disentangle.progress import WARNING, manner, say

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
    from disentangle import experiment
    from disentangle.progress import following, say
    from disentangle.run import load_run

    with following() as watch:
        found = experiment.resume(
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
    from disentangle.isolation import blame, prints_told, refusal

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
