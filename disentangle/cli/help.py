"""The help of commands: what each argument and option is, in lines that fit the terminal.

Typer's own help gives flags the type `<bool>`, and puts names, types and texts into columns of
which the last is a few words wide. This one has two columns; a long name has a line of its own.
"""

import shutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import typer
from rich.text import Text
from typer.core import TyperArgument, TyperCommand, TyperGroup

from disentangle._utils.text import beside, reflow
from disentangle.cli import refused, renamed
from disentangle.cli.number_options import check_numbers, options_with_values
from disentangle.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
WIDEST = 100
"""Maximum characters of a line of help."""
NAMES = 26
"""Maximum characters of the column of names, and of a third of the line."""
ARGUMENTS, OPTIONS, COMMANDS = "Arguments", "Options", "Commands"
VALUES = {"int": "N", "integer": "N", "float": "X", "str": "TEXT"}
"""Types -> what stands for a value of this type."""
TYPERS_OWN = {
    "--help": "print this help and exit",
    "--install-completion": "install completion for this shell",
    "--show-completion": "print the completion script of this shell",
}
"""Options that Typer adds, with their texts."""


TOGETHER = "\0"
"""A space at which no line ends; see `_utils.columns.words`."""


class Row(NamedTuple):
    """An argument, an option or a command, and the text that explains it."""

    name: str
    text: str


class Command(TyperCommand):
    """A command with the help of this module."""

    def get_usage(self, ctx: Any) -> str:
        """The line that help and errors show."""
        return usage(self, ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words after the command's name."""
        try:
            words = renamed.option_names(self.name or "", args)
            return super().parse_args(ctx, with_numbers(self, ctx, words))
        except Exception as error:
            raise refused.translated(error, self, ctx) from error

    def unknown_option(self, option: str, ctx: Any) -> str:
        """What is said of an option that is none of this command."""
        return refused.unknown_option(option, self, ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write(help_text(self, ctx))


class Group(TyperGroup):
    """A group of commands with the help of this module."""

    takes = "COMMAND ..."
    """What follows the group's name."""

    def get_usage(self, ctx: Any) -> str:
        """The line that help and errors show."""
        return usage(self, ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words after the group's name; without any, print the help if one is needed."""
        if not args and not self.invoke_without_command and not ctx.resilient_parsing:
            typer.echo(self.get_help(ctx))
            raise typer.Exit(2)
        try:
            return super().parse_args(ctx, with_numbers(self, ctx, args))
        except Exception as error:
            raise refused.translated(error, self, ctx) from error

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Look up the command that the first word names."""
        name = renamed.command_name(self.name or "", args[0])
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            raise UsageError(refused.unknown_command(name, self, ctx))
        return super().resolve_command(ctx, [name, *args[1:]])

    def unknown_option(self, option: str, ctx: Any) -> str:
        """What is said of an option that is none of this command."""
        return refused.unknown_option(option, self, ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write(help_text(self, ctx))


class App(typer.Typer):
    """A Typer app whose commands and groups have the help of this module."""

    def __init__(self, *, cls: type[TyperGroup] = Group, **options: Any) -> None:
        super().__init__(cls=cls, rich_markup_mode="rich", **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[F], F]:
        """Register a command."""
        register: Callable[[F], F] = super().command(name, **{"cls": Command, **options})
        return register


def with_numbers(command: Any, ctx: Any, words: list[str]) -> list[str]:
    """The words after a command's name, with the numbers of its options checked."""
    if ctx.resilient_parsing:
        return words
    kinds = {
        spelling: (param, value_name(param, ctx))
        for param in options_with_values(command, ctx)
        for spelling in param.opts
    }
    return check_numbers(kinds, words)


def help_text(command: Any, ctx: Any) -> str:
    """The help of a command or group."""
    width = min(shutil.get_terminal_size().columns, WIDEST)
    sections = sections_of(command, ctx)
    shown = [param for rows in sections.values() for param in rows]
    limit = min(NAMES, width // 3)
    column = 2 + max((len(row.name) for row in shown if len(row.name) <= limit), default=0)
    blocks = [reflow(usage(command, ctx), width), reflow(plain(command.help or ""), width)]
    for title, rows in sections.items():
        lines = [line for row in rows for line in beside(row.name, row.text, column, width)]
        text = "\n".join(lines).replace(TOGETHER, " ")
        blocks.append(f"{typer.style(title, bold=True)}\n{text}")
    blocks.append(reflow(plain(command.epilog or ""), width))
    return "\n\n".join(filter(None, blocks)) + "\n"


def usage(command: Any, ctx: Any) -> str:
    """The line that shows how a command is called."""
    words = [ctx.command_path, "[OPTIONS]"]
    for param in command.get_params(ctx):
        if isinstance(param, TyperArgument):
            words.append(argument_name(param))
    if isinstance(command, TyperGroup):
        words.append(getattr(command, "takes", Group.takes))
    return f"Usage: {' '.join(words)}"


def sections_of(command: Any, ctx: Any) -> dict[str, list[Row]]:
    """The sections of a help by title."""
    sections: dict[str, list[Row]] = {ARGUMENTS: [], OPTIONS: []}
    for param in command.get_params(ctx):
        if not getattr(param, "hidden", False):
            usual = ARGUMENTS if isinstance(param, TyperArgument) else OPTIONS
            title = getattr(param, "rich_help_panel", None) or usual
            row = Row(f"  {name_of(param, ctx)}", " ".join(text_of(param, ctx)))
            sections.setdefault(title, []).append(row)
    if isinstance(command, TyperGroup):
        for name in command.list_commands(ctx):
            listed: Any = command.get_command(ctx, name)
            title = getattr(listed, "rich_help_panel", None) or COMMANDS
            text = plain(listed.help or "").partition("\n\n")[0]
            sections.setdefault(title, []).append(Row(f"  {name}", " ".join(text.split())))
        sections[OPTIONS] = sections.pop(OPTIONS)  # after the commands
    return {title: rows for title, rows in sections.items() if rows}


def name_of(param: Any, ctx: Any) -> str:
    """An argument's name; an option's spellings, and what stands for its value."""
    if isinstance(param, TyperArgument):
        return argument_name(param)
    shorter_first = sorted(param.opts, key=lambda spelling: spelling.startswith("--"))
    names = ", ".join(shorter_first)
    if param.is_flag:
        return "/".join([names, *param.secondary_opts])
    return f"{names} {param.metavar or value_name(param, ctx)}"


def argument_name(param: Any) -> str:
    """The name of an argument: in brackets if it can be left out."""
    name = str(param.metavar or param.name.upper())
    return name if param.required or name.startswith("[") else f"[{name}]"


def value_name(param: Any, ctx: Any) -> str:
    """What stands for the value of an option: `N` for a whole number, or its choices."""
    kind = param.display_type(ctx) if hasattr(param, "display_type") else param.make_metavar(ctx)
    word = str(kind).strip("<>[]").removesuffix(" range").removeprefix("list[")
    return word if "|" in word else VALUES.get(word.lower(), word.upper())


def text_of(param: Any, ctx: Any) -> Iterator[str]:
    """The words that explain an argument or option: its help, bounds and default."""
    own = [TYPERS_OWN[name] for name in param.opts if name in TYPERS_OWN]
    yield own[0] if own else plain(param.help or "")
    bounds = (("at least", "min"), ("at most", "max"))
    limits = [(word, getattr(param, name, None)) for word, name in bounds]
    if any(limit is not None for _, limit in limits) and not param.is_flag:
        yield f"({' and '.join(f'{w} {limit:g}' for w, limit in limits if limit is not None)})"
    if default := default_of(param, ctx):
        yield f"[default:{TOGETHER}{default}]"
    if param.required and not isinstance(param, TyperArgument):
        yield "[required]"


def default_of(param: Any, ctx: Any) -> str:
    """The default of an argument or option in words; empty if there is none to be shown."""
    if isinstance(param.show_default, str):
        return param.show_default
    value = param.get_default(ctx, call=False) if param.show_default else None
    if value is None or value == () or value == [] or value == "":
        return ""
    if isinstance(value, bool):
        return ("on" if value else "off") if param.secondary_opts else ""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def plain(markup: str) -> str:
    """A text without its markup."""
    return Text.from_markup(markup).plain.strip()
