"""`disentangle show` and `doctor`: the details of a plugin, and a health check."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from disentangle._utils.console import tell
from disentangle.cli import completion
from disentangle.cli.output import print_beside
from disentangle.cli.parameters import AsJson, DataDir, print_json
from disentangle.contracts import entry_points, registry
from disentangle.errors import DisentangleError, UsageError, suggestion, true_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from disentangle.score_tables.published import Paper


def known_files() -> dict[str, dict[str, Any]]:
    """The protocols and presets, which are files rather than plugins, by kind and name."""
    from disentangle.scoring.protocol import known_protocols
    from disentangle.training.preset import known_presets

    return {"protocol": dict(known_protocols()), "preset": dict(known_presets())}


def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="name, as listed by `disentangle list`; or `published`, for tables of papers",
            autocompletion=completion.everything,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show a plugin, protocol or preset, or the published tables.

    Prints its paper, equation, hyper-parameters and package.
    """
    if name.lower() == "published":
        show_published(as_json)
        return
    matches = descriptions_of(name)
    if not matches:
        names = {entry.name for entry in entry_points.every_entry()}
        names = names.union(*known_files().values())
        hint = suggestion(name, names, "disentangle list")
        raise UsageError(f"no plugin, protocol or preset '{name}'{hint}")
    if as_json:
        print_json(matches)
        return
    for number, match in enumerate(matches):
        typer.echo("\n" if number else "", nl=False)
        print_description(match)


def show_published(as_json: bool) -> None:
    """Print the tables of papers: the datasets and scores of each, and what conflicts."""
    from disentangle.score_tables.published import known_papers

    papers = known_papers()
    if as_json:
        print_json([paper.model_dump() for paper in papers])
        return
    tell("Scores that papers report. `disentangle table --published` shows them below yours.\n")
    for source in dict.fromkeys(paper.source for paper in papers):
        tables = [paper for paper in papers if paper.source == source]
        typer.secho(source, bold=True)
        tell(tables[0].link)
        for paper in tables:
            named = f" ('{paper.named}' in the paper)" if paper.named else ""
            rows = f"{len(paper.rows)} rows of {', '.join(paper.scores)}"
            tell(f"  {' or '.join(paper.datasets)}{named}: {rows}")
        later = papers[papers.index(tables[-1]) + 1 :]
        notes = [note for paper in tables for note in all_conflicts(paper, later)]
        for note in dict.fromkeys(notes):
            tell(f"  {note}")
        tell("")


def all_conflicts(paper: "Paper", others: "list[Paper]") -> "Iterator[str]":
    """The conflicts of a paper's table with others, on each dataset that it may be of."""
    from disentangle.score_tables.published import conflicts

    for dataset in paper.datasets:
        yield from conflicts(paper, dataset, others)


def descriptions_of(name: str) -> list[dict[str, Any]]:
    """Describe whatever has this name, in any case: plugins, protocols and presets."""
    matches = []
    for group in registry.groups:
        known = group.true_name(name)
        if known in group.entries:
            matches.append(about_plugin(group, known))
    for kind, by_name in known_files().items():
        known = true_name(name, by_name)
        if known in by_name:
            fields = by_name[known].model_dump(exclude_unset=True, exclude={"about", "name"})
            about = by_name[known].about
            matches.append({"kind": kind, "name": known, "about": about, "says": fields})
    return matches


def print_description(match: dict[str, Any]) -> None:
    """Print the description of one plugin, protocol or preset, in lines that fit the terminal."""
    owner = f", from {match['distribution']} {match['version']}" if "distribution" in match else ""
    typer.secho(f"{match['kind']} {match['name']}", bold=True, nl=False)
    typer.echo(f"{owner}\n")
    tell(f"{match['about']}\n")
    rows = []
    for knob in match.get("knobs", ()):
        default = "" if knob["default"] in (None, "") else f" [default: {knob['default']}]"
        option = f"--{knob['name'].replace('_', '-')}"
        option = knob["name"] if match["kind"] != "model" else option
        rows.append((f"  {option}", f"{knob['help']} ({knob['takes']}){default}"))
    print_beside(rows)
    lines = lines_of(match.get("says", {}))
    if match["kind"] == "preset":
        lines = list(known_files()["preset"][match["name"]].lines())
    for line in lines:
        tell(f"  {line}".rstrip())


def about_plugin(group: entry_points.Group[Any], name: str) -> dict[str, Any]:
    """Describe a plugin: its distribution, documentation and hyper-parameters."""
    from disentangle.contracts.plugin import Plugin, documentation
    from disentangle.contracts.published_splits import names_for
    from disentangle.contracts.settings import option_knobs
    from disentangle.data.location import about_of
    from disentangle.data.status import state

    plugin, entry = group.load(name), group.entry(name)
    declared = (
        option_knobs(plugin).values()
        if isinstance(plugin, type) and issubclass(plugin, Plugin)
        else ()
    )
    knobs = [
        {"name": k.name, "help": k.help, "takes": k.domain(), "default": k.default}
        for k in declared
    ]
    description = {**vars(entry), "about": documentation(plugin), "knobs": knobs}
    if group.kind in ("dataset", "collection"):  # their functions only open them
        description["about"] = (sys.modules[plugin.__module__].__doc__ or "").strip()
    if group.kind == "dataset":
        facts = about_of(plugin)
        description["says"] = {
            "images": f"{facts.images:,}" if facts.images else "unknown until it is opened",
            "licence": facts.licence,
            **({"home": facts.home} if facts.home else {}),
            "state": state(name, facts),
        }
        if splits := names_for(name):
            description["says"]["splits of papers"] = splits
    return description


def lines_of(fields: dict[str, Any]) -> list[str]:
    """Format fields, one line each; a list of cases is formatted case by case."""
    lines = []
    for key, value in fields.items():
        if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            for case in value:
                lines += [*lines_of(case), ""]
        elif isinstance(value, dict):
            items = "; ".join(f"{k} {_plain(v)}" for k, v in value.items())
            lines.append(f"{key}: {items}")
        else:
            lines.append(f"{key}: {_plain(value)}")
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}={v}" for k, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def doctor(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Report versions, devices, folders, datasets and broken plugins.

    Include this report in a bug report.
    """
    from disentangle.cli.doctor import examine

    sections = examine(data_dir)
    if as_json:
        print_json(sections)
    else:
        rows = []
        for section, content in sections.items():
            lines = content.items() if isinstance(content, dict) else enumerate(content, 1)
            rows += [(section, ""), *((f"  {name}", str(text)) for name, text in lines)]
            if not content:
                rows.append(("  none", ""))
        print_beside(rows)
    if count := len(sections["problems"]):
        raise DisentangleError(f"plugins have problems: {count}")
