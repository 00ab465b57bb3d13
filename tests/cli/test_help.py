"""The help of the commands: an example each, whose words the command's own parser accepts."""

import re
import shlex

import pytest
from typer.main import get_command

from disentangle.cli.app import COMMANDS, app
from disentangle.cli.help import sections_of

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
    with pytest.raises(Exception, match="has no option '--knob'"):
        called.make_context(names[-1], words)


@pytest.mark.parametrize("path", list(paths()), ids=" ".join)
def test_every_command_that_takes_a_run_looks_it_up_in_a_results_folder(path):
    called = resolve(list(path))[1]
    params = called.get_params(called.context_class(called, info_name="disentangle"))
    takes = any(re.match(r"\[?RUN\b", each.metavar or "") for each in params)
    assert not takes or "--results" in {spelling for each in params for spelling in each.opts}


def test_sections_of_the_help_are_in_the_order_of_work(command):
    code, out, _ = command("--help")
    assert code == 0
    sections = list(dict.fromkeys(section for section, _, _, _ in COMMANDS))
    assert [line for line in out.splitlines() if line in sections] == sections
    verbs = [line.split()[0] for line in out.splitlines() if re.match("  [a-z]", line)]
    assert verbs == [verb for _, verb, _, _ in COMMANDS]


@pytest.mark.parametrize("path", [(), *paths()], ids=" ".join)
def test_every_argument_and_option_is_explained(path):
    called = resolve(list(path))[1] if path else ROOT
    context = called.context_class(called, info_name="disentangle")
    for rows in sections_of(called, context).values():
        for row in rows:
            assert re.match("[A-Za-z]+ ?[a-zA-Z]", row.text), row


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("path", [(), *paths()], ids=" ".join)
def test_help_fits_the_terminal_and_breaks_no_word(command, monkeypatch, path, width):
    monkeypatch.setenv("COLUMNS", "1000")
    words = command(*path, "--help")[1].split()
    monkeypatch.setenv("COLUMNS", str(width))
    out = command(*path, "--help")[1]
    assert out.split() == words
    long = [line for line in out.splitlines() if len(line) > width]
    assert all(len(line.split()) <= 3 for line in long)  # an option whose own name is that long


def test_flags_have_no_type_and_values_are_named(command):
    out = command("train", "beta-vae", "--help")[1]
    assert "<" not in out
    assert re.search(r"^  --download {2,}\S", out, re.M)
    assert "  --figures/--no-figures  draw the run's figures at the end [default: on]\n" in out
    assert re.search(r"^  --steps N {2,}\S", out, re.M)
    assert re.search(r"^  --precision fp32\|bf16 {2,}\S", out, re.M)
    assert re.search(r"^  -h, --help {2,}\S", out, re.M)


def test_bounds_and_defaults_are_shown(command):
    out = " ".join(command("score", "--help")[1].split())
    assert "--seed N seed of the metrics' sampling (at least 0) [default: 0]" in out
    assert "[RUN]... folders, names or ids of runs [default: all runs of the results folder]" in out


@pytest.mark.parametrize("words", [[], ["train"], ["data"], ["figure"]], ids=" ".join)
def test_a_group_without_a_command_prints_its_help(command, words):
    code, out, err = command(*words)
    assert (code, err) == (2, "")
    assert out == command(*words, "--help")[1]


def test_a_default_stands_with_its_word(command, monkeypatch):
    for width in range(50, 90, 3):
        monkeypatch.setenv("COLUMNS", str(width))
        assert not re.search(r"\[default:$", command("train", "vae", "--help")[1], re.M)
