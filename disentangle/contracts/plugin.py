"""The base class of plugins: a dataclass whose fields are its hyper-parameters.

Each subclass of `Plugin` becomes a keyword-only dataclass without a decorator. Declare its fields
with `knob`: each field is then a command-line option, a line of the run's record and a column of a
table.
"""

import dataclasses
import inspect
import math
import sys
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeAlias, TypeVar, cast, dataclass_transform

from disentangle._utils.text import as_whole, whole
from disentangle.errors import UsageError, true_name

T = TypeVar("T")

LARGEST = 2**63 - 1

Condition: TypeAlias = tuple[str, *tuple[object, ...]]
"""(other knob, value, ...): the other knob has one of these values."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Knob:
    """One hyper-parameter: its type, the paper's default, its bounds and its meaning."""

    name: str
    type: type
    default: Any
    help: str = ""
    min: float | None = None
    above: float | None = None
    max: float | None = None
    names: Iterable[str] | Callable[[], Iterable[str]] = ()
    normalised: bool = False
    conditions: tuple[Condition, ...] = ()
    """All of them must hold for the knob to have an effect."""
    added: bool = False
    rise: bool = False

    @property
    def choices(self) -> tuple[str, ...]:
        """The names allowed for this knob; empty for a knob without a fixed set of names."""
        return tuple(self.names() if callable(self.names) else self.names)

    def check(self, value: Any) -> Any:
        """Validate a value and return it in this knob's type.

        Raises:
            UsageError: the value has the wrong type or is outside the bounds.
        """
        if hasattr(value, "item") and getattr(value, "shape", None) == ():
            value = value.item()  # a scalar of NumPy or torch
        if type(value) is int and abs(value) > LARGEST:
            raise UsageError(f"{self.name} must be {self.domain()}; got more than {LARGEST}")
        if self.type is float and type(value) is int:
            value = float(value)
        if self.type is int:
            value = whole(value)
        right = type(value) is self.type
        if right and self.type in (int, float):
            right = (
                (self.type is int or math.isfinite(value))
                and (self.min is None or value >= self.min)
                and (self.above is None or value > self.above)
                and (self.max is None or value <= self.max)
            )
        if right and self.choices:
            value = true_name(value, self.choices)
            right = value in self.choices
        if not right:
            raise UsageError(f"{self.name} must be {self.domain()}; got {value!r}")
        return value

    def parse(self, text: str) -> Any:
        """Parse and validate a value written as text, as on the command line (`bins=40`)."""
        value: Any = text
        if self.type is bool:
            value = {"true": True, "false": False}.get(text.lower(), text)
        elif self.type in (int, float):
            try:
                value = self.type(text)
            except ValueError:
                value = as_whole(text) if self.type is int else None
                value = text if value is None else value
        return self.check(value)

    def domain(self) -> str:
        """Describe the allowed values in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        kinds = {int: "a whole number", float: "a finite number", bool: "true or false"}
        return ", ".join(filter(None, (kinds.get(self.type, "text"), self.bounds)))

    @property
    def bounds(self) -> str:
        """The bounds in words; empty if there are none."""
        limits = (("at least", self.min), ("above", self.above), ("at most", self.max))
        return " and ".join(f"{word} {limit:g}" for word, limit in limits if limit is not None)


def knob(
    *,
    default: T,
    help: str,
    min: float | None = None,
    above: float | None = None,
    max: float | None = None,
    choices: Callable[[], Iterable[str]] | None = None,
    normalised: bool = False,
    only_if: Sequence[Condition] | Condition = (),
    added: bool = False,
    rise: bool = False,
) -> T:
    """Declare a hyper-parameter as a field of a plugin.

    Args:
        default: the value used if the user gives none: the paper's value.
        help: one line for the command line, with the unit if there is one.
        min: the inclusive lower bound.
        above: the exclusive lower bound.
        max: the inclusive upper bound.
        choices: a function that returns the allowed names of a text knob, called when a value is
            checked. If the names never change, annotate the field with a Literal instead.
        normalised: the knob is the weight of a KL term in nats per image. The core then also offers
            its normalised form, beta_norm = beta M / N (Higgins et al. 2017), and reports before
            training whether it is large enough for collapse. Do not set it for the weight of
            another function of the KL, such as |KL - C|.
        only_if: conditions [(other knob, value, ...), ...]: the knob has an effect only if each of
            these other knobs has one of its values; giving it otherwise is an error. A single
            condition need not be in a list.
        added: the knob was added after the plugin's first release and changes nothing at its
            default. The plugin then keeps its version, and a record without the knob implies its
            default.
        rise: the knob is the number of training steps over which a part of the loss rises to its
            full size. The core warns before a training that ends earlier.
    """
    metadata = {
        "help": help,
        "min": min,
        "above": above,
        "max": max,
        "choices": choices,
        "normalised": normalised,
        "conditions": conditions_of(only_if),
        "added": added,
        "rise": rise,
    }
    return dataclasses.field(default=default, metadata={"knob": metadata})


def conditions_of(only_if: Sequence[Condition] | Condition) -> tuple[Condition, ...]:
    """The conditions that `only_if` of `knob` stands for; a tuple of words is one of them."""
    alone = bool(only_if) and isinstance(only_if[0], str)
    return cast("tuple[Condition, ...]", (only_if,) if alone else tuple(only_if))


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(knob,))
class Plugin:
    """Base class of all configurable plugins; the fields of a subclass are its knobs.

    `version` is stored in run and score records: increase it when the plugin's numbers change.
    """

    about: ClassVar[str] = ""
    """The plugin in a line, for `disentangle list`; a literal, as it is read from the source."""
    display: ClassVar[str] = ""
    """The plugin's name as papers write it, such as "β-VAE"; a literal, for tables and figures."""
    version: ClassVar[int] = 1

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, annotation in inspect.get_annotations(cls).items():
            if "ClassVar" not in str(annotation):
                _check_field(cls, name)
        dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)

    def __post_init__(self) -> None:
        for name, declared in knobs(type(self)).items():
            object.__setattr__(self, name, declared.check(getattr(self, name)))


def _check_field(cls: type, name: str) -> None:
    """Raise a TypeError unless the field is a knob with a name that no base class uses."""
    field = cls.__dict__.get(name)
    if not (isinstance(field, dataclasses.Field) and "knob" in field.metadata):
        raise TypeError(
            f"{cls.__name__}.{name} is not a knob: declare hyper-parameters with knob(...) and "
            f"constants as ClassVar, and create modules in build()"
        )
    for base in cls.__mro__[1:]:
        taken = name in vars(base) or name in vars(base).get("__annotations__", {})
        if taken and name not in getattr(base, "__dataclass_fields__", {}):
            raise TypeError(
                f"{cls.__name__} cannot have a knob '{name}': {base.__name__}.{name} exists. "
                "Choose another name."
            )


def knobs(cls: type[Plugin]) -> dict[str, Knob]:
    """The knobs of a plugin class by name, inherited ones first."""
    cached: dict[str, Knob] | None = cls.__dict__.get("_knobs")
    if cached is None:
        hints = typing.get_type_hints(cls)
        cached = {}
        for field in dataclasses.fields(cls):  # type: ignore[arg-type]
            hint = hints[field.name]
            literal = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
            kind = str if literal else hint
            declared = dict(field.metadata["knob"])
            names = declared.pop("choices") or literal
            if kind not in (bool, int, float, str):
                raise TypeError(
                    f"{cls.__name__}.{field.name}: expected a knob of type bool, int, float, str "
                    f"or Literal, got {hint}"
                )
            cached[field.name] = Knob(
                name=field.name,
                type=kind,
                default=field.default,
                names=names,
                **declared,
            )
        cls._knobs = cached  # type: ignore[attr-defined]
    return cached


def documentation(thing: Any) -> str:
    """The docstrings of a plugin's module (the paper) and of its class (the equation)."""
    module = sys.modules[thing.__module__].__doc__ or ""
    return f"{module.strip()}\n\n{inspect.getdoc(thing) or ''}"
