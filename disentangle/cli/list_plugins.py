"""`disentangle list`: a line for each plugin, protocol and preset, by kind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from disentangle._utils.console import message_width, output_width
from disentangle._utils.text import beside
from disentangle.cli import completion
from disentangle.cli.output import WIDE, print_beside
from disentangle.cli.parameters import AsJson, print_json
from disentangle.contracts import entry_points, registry
from disentangle.contracts.descriptions import describe_entry
from disentangle.contracts.entry_points import OWN, Entry
from disentangle.errors import DisentangleError, UsageError, suggestion, true_name

HEADINGS: Mapping[str, str] = {
    "models": "disentangle train MODEL DATASET",
    "datasets": "disentangle data list",
    "metrics": "disentangle score --metric NAME",
    "networks": "disentangle train MODEL DATASET --network NAME",
    "collections": "disentangle train MODEL NAME:DATASET",
    "encoders": "disentangle score --encoder NAME:NETWORK",
    "executors": "disentangle sweep FILE.toml --on NAME",
    "trackers": "disentangle train MODEL DATASET --track NAME",
    "protocols": "disentangle score --protocol NAME",
    "presets": "disentangle train MODEL DATASET --preset NAME",
}
"""Kinds in the order of the list, each with a command that takes their names."""
DEFAULT_MARK = "*"
GAP = "   "


@dataclass(frozen=True)
class Line:
    """A name with what it is in a line, and whether it is used when none is given."""

    name: str
    about: str
    default: bool = False


def list_all(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]",
            help=f"only this kind: {', '.join(HEADINGS)}",
            show_default="all",
            autocompletion=completion.offer(lambda: HEADINGS),
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="import every plugin, and report problems")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List models, datasets, metrics and all other plugins, each with a description.

    `disentangle show NAME` shows one in detail.
    """
    kinds = list(HEADINGS) if kind is None else [kind_called(kind)]
    if check:
        list_checked(kinds, as_json)
    elif as_json:
        print_json(as_data(kinds))
    else:
        for heading in kinds:
            lines = list(lines_of(heading))
            if not lines and kind is None:
                continue
            print_heading(heading, marked=any(line.default for line in lines))
            print_lines(lines)
            typer.echo("")


def print_heading(kind: str, marked: bool) -> None:
    """Print a kind with a command that takes its names, on as few lines as fit the terminal."""
    note = f"{DEFAULT_MARK} default" if marked else ""
    parts = [kind.capitalize(), HEADINGS[kind], note]
    short = sum(map(len, parts)) + 2 * len(GAP) <= (output_width() or WIDE)
    order = [parts] if short else [[parts[0], note], [parts[1]]]
    for number, texts in enumerate(order):
        first = typer.style(texts[0], bold=True) if not number else f"  {texts[0]}"
        typer.echo(GAP.join(filter(None, [first, *texts[1:]])))


def print_lines(lines: list[Line]) -> None:
    """Print names with what they are, and a mark beside those that are used by default."""
    print_beside(
        [(f"{DEFAULT_MARK if line.default else ' '} {line.name}", line.about) for line in lines]
    )


def listing(kind: str) -> str:
    """The names of a kind with what they are, one line each, for a message."""
    lines = list(lines_of(kind))
    column = 4 + max((len(line.name) for line in lines), default=0)
    rows = [beside(f"  {line.name}", line.about, column, message_width()) for line in lines]
    return "\n".join(part for row in rows for part in row)


def kind_called(word: str) -> str:
    """The kind that a user names in the singular or plural, in any case.

    Raises:
        UsageError: there is no such kind.
    """
    plural = true_name(word if word.lower().endswith("s") else f"{word}s", HEADINGS)
    if plural not in HEADINGS:
        names = [entry.name for entry in entry_points.every_entry()]
        if true_name(word, names) in names:
            raise UsageError(
                f"'{word}' is a plugin, not a kind of plugin; run `disentangle show {word}`"
            )
        raise UsageError(f"no kind of plugin '{word}'{suggestion(word, HEADINGS)}")
    return plural


def lines_of(kind: str) -> Iterator[Line]:
    """The lines of a kind."""
    if kind in ("protocols", "presets"):
        from disentangle.runs.score_records import DEFAULT_PROTOCOL

        for name, about in about_files(kind).items():
            yield Line(name, about, kind == "protocols" and name == DEFAULT_PROTOCOL)
        return
    group = next(group for group in registry.groups if f"{group.kind}s" == kind)
    for name, claims in group.entries.items():
        yield Line(name, about_claims(claims), is_default(claims[0]))


def is_default(entry: Entry) -> bool:
    """True if a plugin is used when the user names none."""
    if entry.kind == "network":
        from disentangle.contracts.common_options import Common

        return entry.name == Common.network
    return describe_entry(entry).by_default or (entry.kind, entry.name) == ("executor", "local")


def about_claims(claims: tuple[Entry, ...]) -> str:
    """What the plugin of a name is; its distribution if that is not this one, and problems."""
    owners = " and ".join(f"{e.distribution} {e.version}" for e in claims)
    unfit = "".join(f"; NOT FOR THIS VERSION: {e.unfit}" for e in claims if e.unfit)
    if len(claims) > 1:
        return f"AMBIGUOUS: {owners}{unfit}"
    about = describe_entry(claims[0]).about
    return about if claims[0].distribution == OWN else f"{about} ({owners}{unfit})".lstrip()


def about_files(kind: str) -> dict[str, str]:
    """What each protocol or preset is, by name."""
    from disentangle.scoring.protocol import known_protocols
    from disentangle.training.preset import known_presets

    files = known_protocols() if kind == "protocols" else known_presets()
    return {name: file.about for name, file in files.items()}


def as_data(kinds: list[str]) -> dict[str, object]:
    """The list as JSON data: `plugins`, and the text of each protocol and preset."""
    entries = [entry for entry in entry_points.every_entry() if f"{entry.kind}s" in kinds]
    plugins = []
    for entry in entries:
        described = describe_entry(entry)
        plugins.append(
            {
                **vars(entry),
                "unfit": entry.unfit,
                "about": described.about,
                "display": described.display,
                "default": is_default(entry),
            }
        )
    files = {kind: about_files(kind) for kind in kinds if kind in ("protocols", "presets")}
    return {"plugins": plugins, **files}


def list_checked(kinds: list[str], as_json: bool) -> None:
    """Import each plugin of the kinds and print the result."""
    problems = 0
    checked = []
    for entry, problem in registry.check_imports():
        if f"{entry.kind}s" not in kinds:
            continue
        problems += bool(problem)
        checked.append({**vars(entry), "problem": problem})
        if not as_json:
            print_beside([(f"{entry.kind:8} {entry.name:20}", problem or "ok")])
    if as_json:
        print_json(checked)
    if problems:
        raise DisentangleError(f"{problems} plugins have problems")
