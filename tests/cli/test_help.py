"""The help of the commands: an example each, whose words the command's own parser accepts."""

import re
import shlex

import pytest
from typer.main import get_command

from disentangle.cli.app import COMMANDS, app

ROOT = get_command(app)
EXAMPLE = re.compile(r"Example: disentangle (.+)$")


def resolve(words):
    """Parse a command line without running it; return the names of its commands, and the last."""
    names, command, context = [], ROOT, ROOT.context_class(ROOT, info_name="disentangle")
    while hasattr(command, "resolve_command") and words:
        name, command, words = command.resolve_command(context, words)
        names.append(name)
        context = command.context_class(command, info_name=name, parent=context)
    return names, command, words


def paths():
    """Yield the names of every command and group; of the models' commands, one."""
    for _, verb, _, _ in COMMANDS:
        yield (verb,)
        yield from ((verb, name) for name in getattr(ROOT.commands[verb], "commands", ()))
    yield ("train", "beta-vae")


@pytest.mark.parametrize("path", list(paths()), ids=" ".join)
def test_help_ends_with_an_example_that_parses(command, path):
    code, out, _ = command(*path, "--help")
    assert code == 0
    example = EXAMPLE.search(" ".join(out.split()))
    names, called, words = resolve(shlex.split(example[1]))
    assert tuple(names[: len(path)]) == path
    assert not hasattr(called, "resolve_command")  # a group is not yet a command to run
    called.make_context(names[-1], words)  # raises a usage error for an unknown option


def test_option_of_an_example_must_exist():
    names, called, words = resolve(["udr", "--knob", "beta"])
    with pytest.raises(Exception, match="No such option"):
        called.make_context(names[-1], words)


def test_panels_of_the_help_are_in_the_order_of_work(command):
    code, out, _ = command("--help")
    assert code == 0
    panels = list(dict.fromkeys(panel for panel, _, _, _ in COMMANDS))
    places = [out.index(f"─ {panel} ─") for panel in panels]
    assert places == sorted(places)
    verbs = [line.split()[1] for line in out.splitlines() if re.match("│ [a-z]", line)]
    assert verbs == [verb for _, verb, _, _ in COMMANDS]
