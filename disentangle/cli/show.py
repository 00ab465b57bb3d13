"""`disentangle list`, `show` and `doctor`: what there is, what it is, and whether it works."""

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
        f"{kind}s": {name: one.about for name, one in known.items()}
        for kind, known in known_files().items()
    }
    if as_json:
        entries = entry_points.every_entry()
        print_json({"plugins": [{**vars(e), "unfit": e.unfit} for e in entries], **abouts})
        return
    rows = []
    for group in registry.groups:
        rows.append((f"{group.kind}s", ""))
        for name, claims in group.entries.items():
            where = " and ".join(f"{e.distribution} {e.version}" for e in claims)
            unfit = "".join(f"; NOT FOR THIS VERSION: {e.unfit}" for e in claims if e.unfit)
            ambiguous = "" if len(claims) == 1 else "AMBIGUOUS: "
            rows.append((f"  {name}", f"{ambiguous}{where}{unfit}"))
    for title, known in abouts.items():
        rows += [(title, ""), *((f"  {name}", about) for name, about in known.items())]
    print_aligned(rows)


def list_checked(as_json: bool) -> None:
    """Import each plugin, and print whether that went well."""
    problems = 0
    told = []
    for entry, problem in registry.check_imports():
        problems += bool(problem)
        told.append({**vars(entry), "problem": problem})
        if not as_json:
            typer.echo(f"{entry.kind:8} {entry.name:20} {problem or 'ok'}")
    if as_json:
        print_json(told)
    if problems:
        raise DisentangleError(f"{problems} plugins have problems")


def known_files() -> dict[str, dict[str, Any]]:
    """Return what is no plugin but a file, by kind and name: the protocols and the presets."""
    from disentangle.scoring.protocol import known_protocols
    from disentangle.training.preset import known_presets

    return {"protocol": dict(known_protocols()), "preset": dict(known_presets())}


def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="name, as listed by `disentangle list`",
            autocompletion=completion.every,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show a plugin, protocol or preset.

    Prints its paper, equation, hyper-parameters and package.
    """
    told = [about_plugin(group, name) for group in registry.groups if name in group.entries]
    files = known_files()
    for kind, known in files.items():
        if name in known:
            said = known[name].model_dump(exclude_unset=True, exclude={"about", "name"})
            told.append({"kind": kind, "name": name, "about": known[name].about, "says": said})
    if not told:
        every = [entry.name for entry in entry_points.every_entry()]
        every += [name for known in files.values() for name in known]
        raise UsageError(f"no plugin, protocol or preset '{name}'{suggestion(name, every)}")
    if as_json:
        print_json(told)
        return
    for one in told:
        whose = f", from {one['distribution']} {one['version']}" if "distribution" in one else ""
        typer.echo(f"{one['kind']} {name}{whose}\n\n{one['about']}\n")
        rows = []
        for knob in one.get("knobs", ()):
            default = "" if knob["default"] is None else f" [default: {knob['default']}]"
            option = f"--{knob['name'].replace('_', '-')}"
            option = knob["name"] if one["kind"] != "model" else option
            rows.append((f"  {option}", f"{knob['help']} ({knob['takes']}){default}"))
        print_aligned(rows)
        for line in lines_of(one.get("says", {})):
            typer.echo(f"  {line}".rstrip())


def about_plugin(group: entry_points.Group[Any], name: str) -> dict[str, Any]:
    """Return what is to be said of a plugin: whose it is, its documentation and its knobs."""
    from disentangle.contracts.plugin import Plugin, documentation
    from disentangle.contracts.settings import option_knobs
    from disentangle.data.location import about_of
    from disentangle.data.status import state

    plugin, entry = group.load(name), group.entry(name)
    offered = (
        option_knobs(plugin).values()
        if isinstance(plugin, type) and issubclass(plugin, Plugin)
        else ()
    )
    knobs = [
        {"name": k.name, "help": k.help, "takes": k.domain(), "default": k.default} for k in offered
    ]
    told = {**vars(entry), "about": documentation(plugin), "knobs": knobs}
    if group.kind == "dataset":
        known = about_of(plugin)
        told["about"] = (sys.modules[plugin.__module__].__doc__ or "").strip()
        told["says"] = {
            "images": f"{known.images:,}" if known.images else "unknown until it is opened",
            "licence": known.licence,
            **({"home": known.home} if known.home else {}),
            "state": state(name, known),
        }
    return told


def lines_of(said: dict[str, Any]) -> list[str]:
    """Return what a file says, a line each; what it says of several cases, case by case."""
    lines = []
    for key, value in said.items():
        if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            for case in value:
                lines += [*lines_of(case), ""]
        elif isinstance(value, dict):
            told = "; ".join(f"{k} {_plain(v)}" for k, v in value.items())
            lines.append(f"{key}: {told}")
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

    found = examine(data_dir)
    if as_json:
        print_json(found)
    else:
        rows = []
        for section, said in found.items():
            lines = said.items() if isinstance(said, dict) else enumerate(said, 1)
            rows += [(section, ""), *((f"  {name}", str(text)) for name, text in lines)]
            if not said:
                rows.append(("  none", ""))
        print_aligned(rows)
    if count := len(found["problems"]):
        raise DisentangleError(f"plugins have problems: {count}")
