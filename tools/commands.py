"""Write the reference of the command line, `docs/commands.md`, from the commands themselves.

Run `python -m tools.commands` after a change of an option; a test compares the page with the
commands.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from typer.core import TyperGroup, TyperOption

from disentangle.cli.app import COMMANDS, app
from disentangle.cli.train import model_command

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
HEAD = """# Commands

All commands and their options, as `disentangle COMMAND --help` prints them. This page is written
from the program; [In the shell](shell.md) describes output, exit codes and completion.

"""
TRAINED = "beta-vae"
"""The model whose command stands for all models."""
VALUES = {int: "`N`", float: "`X`", Path: "`PATH`"}
"""How the values of options are shown, by type."""


def page() -> str:
    """The page, as Markdown."""
    root: Any = typer.main.get_command(app)
    context = typer.Context(root, info_name="disentangle")
    lines = [HEAD, *section("disentangle", root, level=2)]
    for panel, verb, _, example in COMMANDS:
        if f"## {panel}\n" not in lines:
            lines.append(f"## {panel}\n")
        command = root.get_command(context, verb)
        lines += section(f"disentangle {verb}", command, level=3, example=example)
        if verb == "train":
            lines += section("disentangle train MODEL", model_command(TRAINED), level=3)
        elif isinstance(command, TyperGroup):
            for name, part in command.commands.items():
                lines += section(f"disentangle {verb} {name}", part, level=3)
    return "\n".join(lines).rstrip() + "\n"


def section(title: str, command: Any, level: int, example: str = "") -> Iterator[str]:
    """Yield a command's heading, help, arguments, options and example."""
    yield f"{'#' * level} `{title}` {{ #{re.sub(r'[^a-z]+', '-', title.lower()).strip('-')} }}\n"
    if title.endswith(" MODEL"):
        yield f"The options of `{TRAINED}`; [other models](models.md) have others.\n"
    else:
        yield plain(command.help or "") + "\n"
    shown = [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    if shown:
        yield "| option | value | meaning |\n| --- | --- | --- |"
        yield from (row(parameter) for parameter in shown)
        yield ""
    if example:
        yield f"```text\ndisentangle {example}\n```\n"


def row(parameter: Any) -> str:
    """The row of the table for an argument or an option."""
    help_text = plain(getattr(parameter, "help", None) or "")
    if isinstance(parameter, TyperOption):
        names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
        if default := default_of(parameter):
            help_text += f" [default: {default}]"
    else:
        names = f"`{parameter.metavar or parameter.name.upper()}`"
    return f"| {names} | {value_of(parameter)} | {help_text} |".replace("|  |", "| |")


def value_of(parameter: Any) -> str:
    """What an option takes: nothing, one of some words, or a value."""
    if getattr(parameter, "is_flag", False):
        return ""
    annotation = parameter.type_descriptor.annotation
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if parameter.metavar:
        return f"`{parameter.metavar.replace('|', ' or ')}`"
    return VALUES.get(annotation, "`TEXT`")


def default_of(option: TyperOption) -> str:
    """The default that the help shows."""
    default: Any = option.default
    if isinstance(option.show_default, str):
        return option.show_default
    if not option.show_default or default is None or callable(default):
        return ""
    if option.is_flag and not option.secondary_opts:
        return ""
    if option.is_flag:
        return f"`{option.opts[0]}`" if default else f"`{option.secondary_opts[0]}`"
    return f"`{default}`"


def plain(text: str) -> str:
    """Help text without Rich's escapes, in Markdown."""
    return " ".join(text.replace("\\[", "[").replace("|", "\\|").split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
