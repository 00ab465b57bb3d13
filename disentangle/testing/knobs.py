"""Knobs: from the command line into a plugin, into a record, and back."""

from collections.abc import Mapping
from typing import Any

import typer
from typer.main import get_command

from disentangle.cli.knob_options import with_knobs
from disentangle.contracts.plugin import Knob, Plugin, knobs
from disentangle.contracts.settings import parse_given, parse_spec
from disentangle.errors import UsageError
from disentangle.runs.records import SettingRecord
from disentangle.testing.check import require


def say_what_they_are(kind: type[Plugin]) -> None:
    """Refuse a knob without help, or whose default it would not take itself."""
    for name, knob in knobs(kind).items():
        require(
            bool(knob.help.strip()),
            f"knob '{name}' has no help: say in a line what it is, and its unit",
        )
        try:
            knob.check(knob.default)
        except UsageError as error:
            require(False, f"the default of a knob is outside its own bounds: {error}")


def survive(kind: type[Plugin]) -> None:
    """Refuse a knob that comes back otherwise from the command line or a record."""
    for values in ({n: k.default for n, k in knobs(kind).items()}, other_values(kind)):
        for way, found in (
            ("the command line", from_command_line(kind, values)),
            ("NAME:knob=value", from_spec(kind, values)),
            ("a record", from_record(values)),
        ):
            compare(values, found, f"comes back from {way}")
        compare(values, held(kind(**values)), "is held by the plugin")


def unchanged(used: Plugin) -> None:
    """Refuse a plugin that was made at its defaults, and whose knobs are others after its use."""
    compare(
        {name: knob.default for name, knob in knobs(type(used)).items()},
        held(used),
        "is changed by the plugin, and then held",
        "keep what is derived from it in an attribute of another name",
    )


def compare(
    values: Mapping[str, Any],
    found: Mapping[str, Any],
    how: str,
    remedy: str = "a knob's value is stored as it was given",
) -> None:
    """Refuse values that are not the same, in kind or in size."""
    for name, value in values.items():
        got = found.get(name)
        require(
            type(got) is type(value) and got == value,
            f"knob '{name}', given as {value!r}, {how} as {got!r}: {remedy}",
        )


def held(plugin: Plugin) -> dict[str, Any]:
    """Return the knobs of a plugin as they are now."""
    return {name: getattr(plugin, name) for name in knobs(type(plugin))}


def other_values(kind: type[Plugin]) -> dict[str, Any]:
    """Return a value for each knob, another than its default where there is one."""
    return {name: another(knob) for name, knob in knobs(kind).items()}


def another(knob: Knob) -> Any:
    """Return a value that a knob takes, and that is not its default if it can be."""
    default = knob.default
    if knob.type is bool:
        return not default
    tried: list[Any] = [c for c in reversed(knob.choices) if c != default]
    if knob.type in (int, float):
        tried = [2 * default + 1, default + 1, default / 2, default - 1, knob.min, knob.max]
        tried = [knob.type(x) for x in tried if x is not None and x != default]
    for value in tried:
        try:
            return knob.check(value)
        except UsageError:
            continue
    return default


def from_command_line(kind: type[Plugin], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the knobs as `disentangle train` reads them: `--kl-warmup=5 --no-tied`."""
    seen: dict[str, Any] = {}

    def command(**options: Any) -> None:
        seen.update(options)

    words = []
    for name, value in values.items():
        option = name.replace("_", "-")
        words.append(
            f"--{'' if value else 'no-'}{option}"
            if isinstance(value, bool)
            else f"--{option}={value}"
        )
    app = typer.Typer(add_completion=False)
    app.command()(with_knobs(command, kind, "knobs"))
    get_command(app).main(words, prog_name="train", standalone_mode=False)
    return seen


def from_spec(kind: type[Plugin], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the knobs as `--metric NAME:knob=value,...` and study files give them."""
    words = ",".join(
        f"{k}={str(v).lower() if v in (True, False) else v}" for k, v in values.items()
    )
    return parse_given(kind, parse_spec(f"name:{words}")[1])


def from_record(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the knobs as a run's record gives them back."""
    written = {
        name: SettingRecord(value=value, default=value, origin="given").model_dump_json()
        for name, value in values.items()
    }
    return {k: SettingRecord.model_validate_json(text).value for k, text in written.items()}
