"""Numbers on the command line: 1e5 is a whole number, and what is no number is refused in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from typer.core import TyperArgument

from disentangle._utils.text import as_whole
from disentangle.errors import UsageError


def check_numbers(params: Mapping[str, tuple[Any, str]], words: Sequence[str]) -> list[str]:
    """The words of a command line, with the whole numbers written as digits.

    Args:
        params: spelling of an option that takes a value -> the option, and the kind of its value:
            `N` for a whole number, `X` for any number.
        words: the words after the command's name.

    Raises:
        UsageError: the value of an option is not of its kind, or out of its bounds.
    """
    checked: list[str] = []
    option = ""
    for place, word in enumerate(words):
        if option:
            checked.append(check_number(option, *params[option], word, option + "s" in params))
            option = ""
            continue
        if word == "--":
            return [*checked, *words[place:]]
        name, equals, value = word.partition("=")
        if name in params and equals:
            word = f"{name}={check_number(name, *params[name], value, name + 's' in params)}"
        elif name in params:
            option = name
        checked.append(word)
    return checked


def check_number(option: str, param: Any, kind: str, text: str, plural: bool = False) -> str:
    """The value of an option as Typer reads it; a value of another kind is kept.

    With `plural`, as `--seeds` beside `--seed`, a range or list is told where it belongs.
    """
    if kind not in ("N", "X"):
        return text
    number = as_whole(text) if kind == "N" else as_float(text)
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    fits = number is not None and not (low is not None and number < low)
    if number is None or not fits or (high is not None and number > high):
        kinds = {"N": "a whole number", "X": "a number"}
        limits = (("at least", low), ("at most", high))
        bounds = " and ".join(f"{word} {limit:g}" for word, limit in limits if limit is not None)
        expected = ", ".join(filter(None, [kinds[kind], bounds]))
        several = plural and set(text) <= set("0123456789.,") and (".." in text or "," in text)
        hint = f"; write `{option}s {text}`" if several else ""
        raise UsageError(f"{option}: expected {expected}, got '{text}'{hint}")
    return str(number) if kind == "N" else text


def as_float(text: str) -> float | None:
    """The number that a text stands for; None if it stands for none."""
    try:
        return float(text)
    except ValueError:
        return None


def options_with_values(command: Any, ctx: Any) -> list[Any]:
    """The options of a command that take a value."""
    params = command.get_params(ctx)
    return [each for each in params if not isinstance(each, TyperArgument) and not each.is_flag]
