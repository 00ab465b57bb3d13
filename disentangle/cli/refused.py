"""What is said of an option that a command lacks, and of an argument that is not given."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from rich.text import Text
from typer.core import TyperArgument, TyperGroup

from disentangle._utils.text import joined
from disentangle.cli import renamed
from disentangle.errors import UsageError, nearest, suggestion

EXTRA = re.compile(r"extra argument\S* \((.*)\)$")
"""Typer's words about arguments that a command does not take."""
MOST = 3
"""Maximum number of commands named as having an option."""


def translated(error: Exception, command: Any, ctx: Any) -> Exception:
    """A refusal by Typer's parser in the words of this program; other errors stay as they are."""
    kind = type(error).__name__  # Typer keeps the classes of these errors to itself
    if kind == "NoSuchOption":
        return UsageError(command.unknown_option(error.option_name, ctx))  # type: ignore[attr-defined]
    param = getattr(error, "param", None)
    if kind == "MissingParameter" and param is not None:
        return UsageError(missing(param, command, ctx))
    if kind == "BadOptionUsage":
        return UsageError(without_value(error.option_name, command, ctx))  # type: ignore[attr-defined]
    if kind == "BadParameter" and param is not None:
        return UsageError(bad_value(error.message, param))  # type: ignore[attr-defined]
    if extra := EXTRA.search(getattr(error, "message", "")):
        return UsageError(too_many(extra[1], command, ctx))
    return error


def unknown_option(option: str, command: Any, ctx: Any) -> str:
    """Say that a command lacks an option: which one is near, or which command has it."""
    refusal = f"`{ctx.command_path}` has no option '{option}'"
    own = {each.strip("-"): each for each in spellings(command, ctx)}
    renames = {new for (_, old), new in renamed.OPTIONS.items() if old == option}
    if new := next((new for new in renames if new in own.values()), None):
        return f"{refusal}; did you mean '{new}'?"
    root = ctx.find_root()
    if option in spellings(root.command, root):
        rest = "" if option == "--version" else ctx.command_path.removeprefix(root.command_path)
        call = f"{root.command_path} {option}{rest}{' ...' if rest else ''}"
        return f"{refusal}, which goes before the command: `{call}`"
    name = option.strip("-")
    if command.name == "sweep" and (calls := executors_with(name.replace("-", "_"))):
        return f"{refusal}; write {' or '.join(calls)}"
    near = nearest(name, own)
    others = [path for path, has in options_of_all(root) if option in has]
    if near and (not others or near.startswith(name) or name.startswith(near)):
        return f"{refusal}; did you mean '{own[near]}'?"
    if others:
        having = [f"`{path}`" for path in others[:MOST]]
        having += [f"{len(others) - MOST} more"] if len(others) > MOST else []
        return f"{refusal}, which is an option of {joined(having)}"
    return f"{refusal}; `{ctx.command_path} --help` lists its options"


def unknown_command(name: str, group: Any, ctx: Any) -> str:
    """Say that a group lacks a command, and which it has."""
    hint = suggestion(name, group.list_commands(ctx), f"{ctx.command_path} --help")
    return f"`{ctx.command_path}` has no command '{name}'{hint}"


def without_value(option: str, command: Any, ctx: Any) -> str:
    """Say that an option lacks its value, or that it takes none."""
    param = next((each for each in command.get_params(ctx) if option in each.opts), None)
    if param is None or param.is_flag:
        return f"{option} takes no value; write `{option}` alone"
    return f"{option}: expected a value, `{as_written(param, option)}`"


def bad_value(message: str, param: Any) -> str:
    """Say which value an argument or option cannot have, and which it can."""
    reason = message.removeprefix("Value error, ").rstrip(".")
    name = param.opts[0] if not isinstance(param, TyperArgument) else as_written(param)
    value, is_choice, choices = reason.partition(" is not one of ")
    if not is_choice:
        return f"{name}: {reason}"
    return f"{name}: expected one of {choices.replace(chr(39), '')}; got {value}"


def too_many(words: str, command: Any, ctx: Any) -> str:
    """Say that there are more arguments than the command takes."""
    arguments = [each for each in command.get_params(ctx) if isinstance(each, TyperArgument)]
    call = " ".join([ctx.command_path, *map(as_written, arguments)])
    return f"expected `{call}` and options, also got {words}"


def missing(param: Any, command: Any, ctx: Any) -> str:
    """Say which argument or option is missing, and how the command is called."""
    required = [each for each in command.get_params(ctx) if each.required]
    call = " ".join([ctx.command_path, *map(as_written, required)])
    example = example_of(command)
    shown = f", for example `{example}`" if example else ""
    return f"{as_written(param)} is missing: expected `{call}`{shown}"


def as_written(param: Any, option: str = "") -> str:
    """An argument, or an option with its value, as it is written after a command."""
    if isinstance(param, TyperArgument):
        return str(param.metavar or param.name.upper())
    return f"{option or param.opts[0]} {param.metavar or 'VALUE'}"


def example_of(command: Any) -> str:
    """The example that ends the help of a command; empty if there is none."""
    return Text.from_markup(command.epilog or "").plain.strip().partition(": ")[2]


def executors_with(name: str) -> list[str]:
    """How `--on` names a built-in executor, or the ones that have this hyper-parameter."""
    from disentangle.contracts import registry
    from disentangle.contracts.entry_points import OWN
    from disentangle.contracts.plugin import knobs

    own = [
        executor
        for executor, claims in registry.executors.entries.items()
        if [entry.distribution for entry in claims] == [OWN]
    ]
    if name in own:
        return [f"`--on {name}`"]
    having = [executor for executor in own if name in knobs(registry.executors.load(executor))]
    return [f"`--on {executor}:{name}=VALUE`" for executor in having]


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
