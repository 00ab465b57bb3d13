"""Old spellings of commands and options: they work, and a line names the new ones."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from disentangle.cli import renamed
from disentangle.cli.app import app


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["data", "prepare", "nosuch", "--from", "x"], "the option --from of `prepare`"),
        (["data", "prepare", "nosuch", "--from=x"], "the option --from of `prepare`"),
        (
            ["figure", "sweep", "--score", "mig", "--knob", "beta"],
            "now `disentangle figure effect`",
        ),
        (["figure", "effect", "--score", "mig", "--knob", "beta"], "is now --of"),
        (["watch", "nosuch", "--tensorboard"], "is now --track=tensorboard"),
    ],
    ids=" ".join,
)
def test_an_old_spelling_is_understood_and_the_new_one_named(command, words, line):
    code, _, err = command(*words)
    assert line in err.splitlines()[0]
    assert err.splitlines()[0].startswith("warning: ")
    assert "No such" not in err
    assert code in (1, 2)


def test_old_spellings_are_not_shown_in_the_help(command):
    for (group, old), new in renamed.COMMANDS.items():
        out = command(group, "--help")[1]
        assert f"\n  {new} " in out
        assert f"\n  {old} " not in out


def test_new_spellings_exist():
    root = get_command(app)
    nested = {
        name: c for group in ("data", "figure") for name, c in root.commands[group].commands.items()
    }
    for (verb, _), new in renamed.OPTIONS.items():
        called = nested.get(verb) or root.commands[verb]
        assert any(new.partition("=")[0] in param.opts for param in called.params)


def test_pages_and_messages_use_the_new_spellings():
    root = Path(__file__).parents[2]
    sources = (root / "disentangle").rglob("*.py")
    files = [root / "README.md", *(root / "docs").glob("*.md"), *sources]
    old = re.compile(r"figure sweep\b|data prepare .*--from|--(base|preset) seed\b")
    places = {file.name for file in files if old.search(file.read_text())}
    assert places == {"bases.py"}  # which takes one of them
