"""What is said of an option that a command lacks, and of an argument that is not given."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.text import Text
from typer.core import TyperArgument, TyperGroup

from disentangle._utils.text import joined
from disentangle.cli import renamed
from disentangle.errors import UsageError, nearest

MOST = 3
"""Maximum number of commands named as having an option."""


def translated(error: Exception, command: Any, ctx: Any) -> Exception:
    """A refusal by Typer's parser in the words of this program; other errors stay as they are."""
    kind = type(error).__name__  # Typer keeps the classes of these errors to itself
    if kind == "NoSuchOption":
        return UsageError(command.unknown_option(error.option_name, ctx))  # type: ignore[attr-defined]
    if kind == "MissingParameter" and getattr(error, "param", None) is not None:
        return UsageError(missing(error.param, command, ctx))  # type: ignore[attr-defined]
    return error


def unknown_option(option: str, command: Any, ctx: Any) -> str:
    """Say that a command lacks an option: which one is near, or which command has it."""
    refusal = f"`{ctx.command_path}` has no option '{option}'"
    own = {each.strip("-"): each for each in spellings(command, ctx)}
    renames = {new for (_, old), new in renamed.OPTIONS.items() if old == option}
    if new := next((new for new in renames if new in own.values()), None):
        return f"{refusal}; did you mean '{new}'?"
    name = option.strip("-")
    near = nearest(name, own)
    others = [path for path, has in options_of_all(ctx.find_root()) if option in has]
    if near and (not others or near.startswith(name) or name.startswith(near)):
        return f"{refusal}; did you mean '{own[near]}'?"
    if others:
        having = [f"`{path}`" for path in others[:MOST]]
        having += [f"{len(others) - MOST} more"] if len(others) > MOST else []
        return f"{refusal}, which is an option of {joined(having)}"
    return f"{refusal}; `{ctx.command_path} --help` lists its options"


def missing(param: Any, command: Any, ctx: Any) -> str:
    """Say which argument or option is missing, and how the command is called."""
    required = [each for each in command.get_params(ctx) if each.required]
    call = " ".join([ctx.command_path, *map(as_written, required)])
    example = example_of(command)
    shown = f", for example `{example}`" if example else ""
    return f"{as_written(param)} is missing: expected `{call}`{shown}"


def as_written(param: Any) -> str:
    """An argument, or an option with its value, as it is written after a command."""
    if isinstance(param, TyperArgument):
        return str(param.metavar or param.name.upper())
    return f"{param.opts[0]} {param.metavar or 'VALUE'}"


def example_of(command: Any) -> str:
    """The example that ends the help of a command; empty if there is none."""
    return Text.from_markup(command.epilog or "").plain.strip().partition(": ")[2]


def spellings(command: Any, ctx: Any) -> set[str]:
    """All spellings of a command's options, except for hidden ones."""
    return {
        spelling
        for each in command.get_params(ctx)
        if not isinstance(each, TyperArgument) and not each.hidden
        for spelling in (*each.opts, *each.secondary_opts)
    }


def options_of_all(root: Any) -> Iterator[tuple[str, set[str]]]:
    """Each command with the spellings of its options, in the order of work."""
    if isinstance(root.command, TyperGroup):
        yield from options_below(root.command, root, root.command_path)
    yield "disentangle train MODEL", {f"--{name.replace('_', '-')}" for name in training_names()}


def options_below(group: TyperGroup, ctx: Any, path: str) -> Iterator[tuple[str, set[str]]]:
    """Each command below a group with the spellings of its options."""
    for name in group.list_commands(ctx):
        command: Any = group.get_command(ctx, name)
        if command is None:
            continue
        yield f"{path} {name}", spellings(command, ctx)
        if isinstance(command, TyperGroup):
            yield from options_below(command, ctx, f"{path} {name}")


def training_names() -> Iterable[str]:
    """The names of the settings that every model takes."""
    from disentangle.contracts.common_options import Common, Training
    from disentangle.contracts.settings import option_knobs

    return [*option_knobs(Common), *option_knobs(Training)]
