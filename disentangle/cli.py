"""The command line: `disentangle VERB`. Each verb imports what it needs when it runs."""

import logging
import sys
import traceback
import warnings
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from disentangle import __version__, completion, registry
from disentangle.cli_compare import advise, baselines, import_command, udr
from disentangle.cli_data import data
from disentangle.cli_figure import traversals
from disentangle.cli_new import new
from disentangle.cli_pair import compare
from disentangle.cli_report import report
from disentangle.cli_score import score
from disentangle.cli_study import figure
from disentangle.cli_sweep import sweep
from disentangle.cli_table import table
from disentangle.cli_train import training, watch
from disentangle.errors import DisentangleError, PluginWarning, UsageError
from disentangle.parameters import (
    AsJson,
    DataDir,
    Device,
    DrawFigures,
    Every,
    File,
    RunPath,
    print_json,
)
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
for command in (watch, sweep, score, table, report, compare, baselines, udr, advise, new):
    app.command()(command)
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


@app.command("list")
def list_command(
    check: Annotated[bool, typer.Option("--check", help="import each and report")] = False,
    as_json: AsJson = False,
) -> None:
    """List the models, datasets, metrics, networks, protocols and presets that there are."""
    if check:
        checked = list(registry.check_imports()) if as_json else registry.check_imports()
        if as_json:
            print_json([{**vars(entry), "problem": problem} for entry, problem in checked])
        problems = 0
        for entry, problem in checked:
            problems += bool(problem)
            if not as_json:
                typer.echo(f"{entry.kind:8} {entry.name:20} {problem or 'ok'}")
        if problems:
            raise DisentangleError(f"{problems} plugins have problems")
        return
    from disentangle.preset import known_presets
    from disentangle.protocol import known_protocols

    abouts = {
        "protocols": {name: known.about for name, known in known_protocols().items()},
        "presets": {name: known.about for name, known in known_presets().items()},
    }
    if as_json:
        entries = registry.every_entry()
        print_json({"plugins": [{**vars(e), "unfit": e.unfit} for e in entries], **abouts})
        return
    for group in registry.groups:
        typer.echo(f"{group.kind}s")
        for name, claims in group.entries.items():
            where = " and ".join(f"{e.distribution} {e.version}" for e in claims)
            unfit = "".join(f"; NOT FOR THIS VERSION: {e.unfit}" for e in claims if e.unfit)
            typer.echo(f"  {name:20} {'' if len(claims) == 1 else 'AMBIGUOUS: '}{where}{unfit}")
    for title, known in abouts.items():
        typer.echo(title)
        for name, about in known.items():
            typer.echo(f"  {name:20} {about}")


@app.command()
def doctor(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Say all that a bug report needs: versions, devices, folders, datasets, broken plugins."""
    from disentangle.doctor import examine

    found = examine(data_dir)
    if as_json:
        print_json(found)
    else:
        for section, said in found.items():
            typer.echo(section)
            lines = said.items() if isinstance(said, dict) else enumerate(said or ["none"], 1)
            for name, text in lines:
                typer.echo(f"  {name!s:20} {text}")
    if count := len(found["problems"]):
        raise DisentangleError(f"plugins have problems: {count}")


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="a plugin's name", autocompletion=completion.plugins),
    ],
    as_json: AsJson = False,
) -> None:
    """Show a plugin: its paper, its equation, its knobs and where it comes from."""
    from disentangle.errors import suggestion
    from disentangle.options import option_knobs
    from disentangle.plugin import Plugin, documentation

    found = [group for group in registry.groups if name in group.entries]
    if not found:
        every = [entry.name for entry in registry.every_entry()]
        raise UsageError(f"no plugin '{name}'{suggestion(name, every)}")
    told = []
    for group in found:
        plugin, entry = group.load(name), group.entry(name)
        about, offered = documentation(plugin), []
        if isinstance(plugin, type) and issubclass(plugin, Plugin):
            offered = list(option_knobs(plugin).values())
        if as_json:
            knobs = [
                {"name": k.name, "help": k.help, "takes": k.domain(), "default": k.default}
                for k in offered
            ]
            told.append({**vars(entry), "about": about, "knobs": knobs})
            continue
        typer.echo(f"{group.kind} {name}, from {entry.distribution} {entry.version}\n")
        typer.echo(about + "\n")
        for knob in offered:
            default = "" if knob.default is None else f" [default: {knob.default}]"
            typer.echo(f"  {knob.name:12} {knob.help} ({knob.domain()}){default}")
    if as_json:
        print_json(told)


def main() -> None:
    """Run the command line; a user's mistake gives one line and no traceback."""
    from disentangle.isolation import blame, prints_told

    warnings.showwarning = show_warning
    logging.basicConfig(format="%(message)s")
    try:
        with prints_told(lambda text: say(WARNING + text)):
            app()
    except DisentangleError as error:
        show_traceback()
        fail(str(error), error.exit_code)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error}", 1)
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
