"""`disentangle list`, `show` and `doctor`: installed plugins, their details, and a health check."""

import sys
from typing import Annotated, Any

import typer

from disentangle.cli import completion
from disentangle.cli.output import print_aligned
from disentangle.cli.parameters import AsJson, DataDir, print_json
from disentangle.contracts import entry_points, registry
from disentangle.errors import DisentangleError, UsageError, suggestion


def list_all(
    check: Annotated[
        bool, typer.Option("--check", help="import every plugin, and report problems")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List all plugins, protocols and presets."""
    if check:
        list_checked(as_json)
        return
    abouts = {
        f"{kind}s": {name: file.about for name, file in files.items()}
        for kind, files in known_files().items()
    }
    if as_json:
        entries = entry_points.every_entry()
        print_json({"plugins": [{**vars(e), "unfit": e.unfit} for e in entries], **abouts})
        return
    rows = []
    for group in registry.groups:
        rows.append((f"{group.kind}s", ""))
        for name, claims in group.entries.items():
            owners = " and ".join(f"{e.distribution} {e.version}" for e in claims)
            unfit = "".join(f"; NOT FOR THIS VERSION: {e.unfit}" for e in claims if e.unfit)
            ambiguous = "" if len(claims) == 1 else "AMBIGUOUS: "
            rows.append((f"  {name}", f"{ambiguous}{owners}{unfit}"))
    for title, files in abouts.items():
        rows += [(title, ""), *((f"  {name}", about) for name, about in files.items())]
    print_aligned(rows)


def list_checked(as_json: bool) -> None:
    """Import each plugin and print the result."""
    problems = 0
    checked = []
    for entry, problem in registry.check_imports():
        problems += bool(problem)
        checked.append({**vars(entry), "problem": problem})
        if not as_json:
            typer.echo(f"{entry.kind:8} {entry.name:20} {problem or 'ok'}")
    if as_json:
        print_json(checked)
    if problems:
        raise DisentangleError(f"{problems} plugins have problems")


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
            help="name, as listed by `disentangle list`",
            autocompletion=completion.everything,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show a plugin, protocol or preset.

    Prints its paper, equation, hyper-parameters and package.
    """
    matches = [about_plugin(group, name) for group in registry.groups if name in group.entries]
    files = known_files()
    for kind, by_name in files.items():
        if name in by_name:
            fields = by_name[name].model_dump(exclude_unset=True, exclude={"about", "name"})
            about = by_name[name].about
            matches.append({"kind": kind, "name": name, "about": about, "says": fields})
    if not matches:
        all_names = [entry.name for entry in entry_points.every_entry()]
        all_names += [name for by_name in files.values() for name in by_name]
        raise UsageError(f"no plugin, protocol or preset '{name}'{suggestion(name, all_names)}")
    if as_json:
        print_json(matches)
        return
    for match in matches:
        owner = ""
        if "distribution" in match:
            owner = f", from {match['distribution']} {match['version']}"
        typer.echo(f"{match['kind']} {name}{owner}\n\n{match['about']}\n")
        rows = []
        for knob in match.get("knobs", ()):
            default = "" if knob["default"] is None else f" [default: {knob['default']}]"
            option = f"--{knob['name'].replace('_', '-')}"
            option = knob["name"] if match["kind"] != "model" else option
            rows.append((f"  {option}", f"{knob['help']} ({knob['takes']}){default}"))
        print_aligned(rows)
        preset = match["kind"] == "preset"
        for line in files["preset"][name].lines() if preset else lines_of(match.get("says", {})):
            typer.echo(f"  {line}".rstrip())


def about_plugin(group: entry_points.Group[Any], name: str) -> dict[str, Any]:
    """Describe a plugin: its distribution, documentation and hyper-parameters."""
    from disentangle.contracts.plugin import Plugin, documentation
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
    if group.kind == "dataset":
        facts = about_of(plugin)
        description["about"] = (sys.modules[plugin.__module__].__doc__ or "").strip()
        description["says"] = {
            "images": f"{facts.images:,}" if facts.images else "unknown until it is opened",
            "licence": facts.licence,
            **({"home": facts.home} if facts.home else {}),
            "state": state(name, facts),
        }
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
        print_aligned(rows)
    if count := len(sections["problems"]):
        raise DisentangleError(f"plugins have problems: {count}")
