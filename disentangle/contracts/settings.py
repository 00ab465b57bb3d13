"""Knobs as options: the origin of each value, and its form on the command line."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal, TypeAlias

from disentangle.contracts.entry_points import called
from disentangle.contracts.plugin import Knob, Plugin, knobs
from disentangle.errors import DisentangleError, UsageError, suggestion

NORMALISED = "_norm"
"""Suffix of the normalised form of a KL weight, as in beta_norm."""


Origin: TypeAlias = Literal["given", "preset", "dataset", "default"]


@dataclass(frozen=True)
class Setting:
    """The value of a knob and where it came from.

    With a preset, the origin `given` means that the value differs from what the preset leads to.
    """

    value: Any
    default: Any
    origin: Origin


def option_knobs(cls: type[Plugin]) -> dict[str, Knob]:
    """Return the knobs that a user can set: the plugin's own and the normalised forms."""
    offered = {}
    for name, declared in knobs(cls).items():
        offered[name] = declared
        if declared.normalised:
            offered[name + NORMALISED] = Knob(
                name=name + NORMALISED,
                type=float,
                default=None,
                min=declared.min,
                max=declared.max,
                help=f"{name} * latents / pixels (Higgins et al.), instead of {name}",
            )
    return offered


def resolve(
    cls: type[Plugin],
    given: Mapping[str, Any],
    *,
    preset: Mapping[str, Any] | None = None,
    dataset: Mapping[str, Any] | None = None,
    image_shape: tuple[int, int, int] | None = None,
) -> dict[str, Setting]:
    """Resolve every hyper-parameter of a plugin: given > preset > dataset > default.

    A normalised weight is converted here, so that the plugin sees only its own.

    Raises:
        UsageError: an unknown or contradictory hyper-parameter, or a value out of bounds.
    """
    settings = check(cls, given, "given")
    return combine(cls, settings, preset=preset, dataset=dataset, image_shape=image_shape)


def combine(
    cls: type[Plugin],
    given: Mapping[str, Setting],
    *,
    preset: Mapping[str, Any] | None = None,
    dataset: Mapping[str, Any] | None = None,
    image_shape: tuple[int, int, int] | None = None,
) -> dict[str, Setting]:
    """Resolve every hyper-parameter, as `resolve` does, from given values that were checked.

    A given value that is the preset's, or that a preset leaves at its default, has that origin.
    """
    settings = dict(given)
    lower = check(cls, preset or {}, "preset"), check(cls, dataset or {}, "dataset")
    for layer in lower:
        for name, setting in layer.items():
            if name not in settings and _counterpart(name) not in settings:
                settings[name] = setting
    declared = knobs(cls)
    for name, knob in declared.items():
        settings.setdefault(name, Setting(knob.default, knob.default, "default"))
        normalised = settings.get(name + NORMALISED)
        if normalised is not None:
            if image_shape is None:
                raise UsageError(f"{name}{NORMALISED} needs a dataset, as it depends on image size")
            latents = settings.get("latents", Setting(declared["latents"].default, 0, "default"))
            value = knob.check(normalised.value * prod(image_shape) / latents.value)
            settings[name] = Setting(value, knob.default, normalised.origin)
    settings = {name: settings[name] for name in declared}
    _check_used(declared, settings)
    resolved = {name: _used(declared[name], settings) for name in declared}
    if not (given and preset):
        return resolved
    paper = combine(cls, {}, preset=preset, dataset=dataset, image_shape=image_shape)
    return {k: paper[k] if paper[k].value == s.value else s for k, s in resolved.items()}


def check(cls: type[Plugin], values: Mapping[str, Any], origin: Origin) -> dict[str, Setting]:
    """Check each value, and return the values as settings.

    Raises:
        UsageError: a knob is unknown, a value is out of bounds, or a weight is given in both forms.
    """
    offered = option_knobs(cls)
    for name in values:
        if name not in offered:
            raise UsageError(
                f"{called(cls)} has no hyper-parameter '{name}'{suggestion(name, offered)}"
            )
        if _counterpart(name) in values:
            weight = name.removesuffix(NORMALISED)
            raise UsageError(
                f"give {weight} or {weight}{NORMALISED}, not both: one determines the other"
            )
    return {
        name: Setting(offered[name].check(value), offered[name].default, origin)
        for name, value in values.items()
    }


def check_complete(kind: type[Plugin], values: Mapping[str, Any], where: Path) -> None:
    """Raise unless a record has all knobs of a plugin, with valid values.

    A knob that was added to the plugin later may be missing: the run used its default.
    """
    try:
        check(kind, values, "given")
    except UsageError as error:
        raise DisentangleError(f"{where / 'run.json'}: {error}") from error
    missing = {name for name, knob in knobs(kind).items() if not knob.added} - set(values)
    if missing:
        raise DisentangleError(f"{where / 'run.json'}: {', '.join(sorted(missing))} is missing")


def _counterpart(name: str) -> str:
    """Return the other name of a KL weight: beta for beta_norm, beta_norm for beta."""
    return name.removesuffix(NORMALISED) if name.endswith(NORMALISED) else name + NORMALISED


def _used(knob: Knob, settings: Mapping[str, Setting]) -> Setting:
    """Return a knob's setting, or its default if a preset sets it without effect."""
    setting = settings[knob.name]
    if setting.origin == "preset":
        for other, *needed in knob.conditions:
            if settings[other].value not in needed:
                return Setting(knob.default, knob.default, "default")
    return setting


def _check_used(declared: Mapping[str, Knob], settings: Mapping[str, Setting]) -> None:
    """Raise for a given value that would have no effect."""
    for name, setting in settings.items():
        if setting.origin != "given":
            continue
        for other, *needed in declared[name].conditions:
            if settings[other].value not in needed:
                raise UsageError(
                    f"{name} has no effect while {other} is {settings[other].value}; "
                    f"omit {name} or set {other} to {' or '.join(map(str, needed))}"
                )


def normalised_forms(
    cls: type[Plugin], values: Mapping[str, Any], image_shape: tuple[int, int, int]
) -> dict[str, float]:
    """Return the normalised form of each KL weight: beta_norm = beta M / N."""
    return {
        name + NORMALISED: values[name] * values["latents"] / prod(image_shape)
        for name, declared in knobs(cls).items()
        if declared.normalised
    }


def parse_spec(text: str) -> tuple[str, dict[str, str]]:
    """Parse the name and knobs of `NAME[:knob=value,...]`, as in `mig:bins=40`."""
    name, _, rest = text.partition(":")
    given: dict[str, str] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key or not value or key.replace("-", "_") in given:
            raise UsageError(f"expected a name, or NAME:SETTING=VALUE,..., got '{text}'")
        given[key.replace("-", "_")] = value
    return name, given


def parse_given(cls: type[Plugin], given: Mapping[str, str]) -> dict[str, Any]:
    """Convert values written as text to the types of their knobs."""
    offered = option_knobs(cls)
    return {k: offered[k].parse(v) if k in offered else v for k, v in given.items()}
