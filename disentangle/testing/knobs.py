"""Checks of knobs: from the command line into a plugin, into a record, and back."""

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
    """Raise if a knob has no help, or its default is invalid."""
    for name, knob in knobs(kind).items():
        require(
            bool(knob.help.strip()),
            f"knob '{name}' has no help: describe it in one line, with its unit",
        )
        try:
            knob.check(knob.default)
        except UsageError as error:
            require(False, f"a knob's default is outside its bounds: {error}")


def survive(kind: type[Plugin]) -> None:
    """Raise if a knob's value changes on the way through the command line or a record."""
    for values in ({n: k.default for n, k in knobs(kind).items()}, other_values(kind)):
        for way, result in (
            ("the command line", from_command_line(kind, values)),
            ("NAME:knob=value", from_spec(kind, values)),
            ("a record", from_record(values)),
        ):
            compare(values, result, f"is returned from {way}")
        compare(values, held(kind(**values)), "is stored in the plugin")


def unchanged(used: Plugin) -> None:
    """Raise if the knobs of a used plugin are no longer its defaults."""
    compare(
        {name: knob.default for name, knob in knobs(type(used)).items()},
        held(used),
        "is changed by the plugin and then stored",
        "store derived values in another attribute",
    )


def compare(
    values: Mapping[str, Any],
    found: Mapping[str, Any],
    how: str,
    remedy: str = "store a knob's value as given",
) -> None:
    """Raise if values differ, in type or in value."""
    for name, value in values.items():
        got = found.get(name)
        require(
            type(got) is type(value) and got == value,
            f"knob '{name}', given as {value!r}, {how} as {got!r}: {remedy}",
        )


def held(plugin: Plugin) -> dict[str, Any]:
    """Return the current values of a plugin's knobs."""
    return {name: getattr(plugin, name) for name in knobs(type(plugin))}


def other_values(kind: type[Plugin]) -> dict[str, Any]:
    """Return a valid value for each knob, different from its default if possible."""
    return {name: another(knob) for name, knob in knobs(kind).items()}


def another(knob: Knob) -> Any:
    """Return a valid value of a knob, different from its default if possible."""
    default = knob.default
    if knob.type is bool:
        return not default
    candidates: list[Any] = [c for c in reversed(knob.choices) if c != default]
    if knob.type in (int, float):
        candidates = [2 * default + 1, default + 1, default / 2, default - 1, knob.min, knob.max]
        candidates = [knob.type(x) for x in candidates if x is not None and x != default]
    for value in candidates:
        try:
            return knob.check(value)
        except UsageError:
            continue
    return default


def from_command_line(kind: type[Plugin], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the knobs as parsed by `disentangle train`: `--kl-warmup=5 --no-tied`."""
    parsed: dict[str, Any] = {}

    def command(**options: Any) -> None:
        parsed.update(options)

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
    return parsed


def from_spec(kind: type[Plugin], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the knobs as parsed from `--metric NAME:knob=value,...` and study files."""
    words = ",".join(
        f"{k}={str(v).lower() if v in (True, False) else v}" for k, v in values.items()
    )
    return parse_given(kind, parse_spec(f"name:{words}")[1])


def from_record(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the knobs as read back from a run's record."""
    written = {
        name: SettingRecord(value=value, default=value, origin="given").model_dump_json()
        for name, value in values.items()
    }
    return {k: SettingRecord.model_validate_json(text).value for k, text in written.items()}
