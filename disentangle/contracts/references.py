"""References to things of another library: `torchvision:MNIST`, `timm:vit_tiny:weights=none`.

The prefix is the name of a plugin, which knows what the rest means.
"""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import InitVar, dataclass, field

from disentangle.contracts import entry_points
from disentangle.errors import UsageError, suggestion, true_name


@dataclass(frozen=True)
class Reference:
    """A parsed reference `PREFIX:NAME[:OPTION=VALUE,...]`.

    Attributes:
        prefix: the registered name of the plugin.
        name: what the plugin is asked for; it may contain `/` and `:`.
        options: the options by name.
        typed: the text that the user typed, for messages; else the reference as text.
    """

    prefix: str
    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    text: InitVar[str] = ""
    typed: str = field(init=False, compare=False, repr=False)

    def __post_init__(self, text: str) -> None:
        """Keep the text for messages; a changed reference (`dataclasses.replace`) has none."""
        object.__setattr__(self, "typed", text or str(self))

    def __str__(self) -> str:
        """The reference as text for records, with options in alphabetical order."""
        options = ",".join(f"{key}={value}" for key, value in sorted(self.options.items()))
        return ":".join(filter(None, [self.prefix, self.name, options]))

    def check_options(self, *offered: str) -> None:
        """Raise a UsageError if an option is not among the offered ones."""
        for option in self.options:
            if option not in offered:
                hint = suggestion(option, offered)
                raise UsageError(f"'{self.typed}' has no option '{option}'{hint}")

    def whole_number(self, option: str, default: int = 0, *, least: int = 1) -> int:
        """The value of an option that is a whole number.

        Raises:
            UsageError: it is not, or it is too small.
        """
        text = self.options.get(option, str(default))
        if option in self.options and not (text.isdecimal() and int(text) >= least):
            raise UsageError(
                f"'{self.typed}': {option} must be a whole number, at least {least}; got '{text}'"
            )
        return int(text)


def parse_reference(
    kind: str, text: str, *, bare: str = "", words: Collection[tuple[str, str]] = ()
) -> Reference | None:
    """Parse a reference; None if it does not begin with the prefix of a plugin of this kind.

    Args:
        kind: the kind of plugin, such as "collection".
        text: `PREFIX:NAME`, with options `:OPTION=VALUE,...` at the end.
        bare: the option that a word without `=` sets: with "split", `hf:cats:test` is
            `hf:cats:split=test`.
        words: options with a word that may be written in any case: with ("weights", "none"),
            `weights=None` is `weights=none`.

    Raises:
        UsageError: the name is missing, or an option is given twice or not as OPTION=VALUE.
    """
    prefix, colon, rest = text.partition(":")
    prefix = true_name(prefix, entry_points.entries_of(kind))
    if not colon or prefix not in entry_points.entries_of(kind):
        return None
    name, options = split_options(rest, f"{prefix}:NAME", bare=bare)
    if not name:
        raise UsageError(f"'{text}': expected {prefix}:NAME")
    for option, word in words:
        if options.get(option, "").lower() == word:
            options[option] = word
    return Reference(prefix, name, options, text)


def split_options(text: str, form: str, *, bare: str = "") -> tuple[str, dict[str, str]]:
    """Split `NAME:OPTION=VALUE,...` into the name and the options, of which there may be none.

    Args:
        text: the text.
        form: the expected name, for messages, such as `hf:NAME`.
        bare: see `parse_reference`.

    Raises:
        UsageError: an option is given twice or not as OPTION=VALUE.
    """
    name, colon, last = text.rpartition(":")
    is_word = bool(bare) and not any(sign in last for sign in (os.sep, "/", "."))
    if not colon or not ("=" in last or is_word):
        name, last = text, ""
    prefix = form.partition(":")[0] + ":" if ":" in form else ""
    typed = f"{prefix}{text}"
    if not last and (joined := re.fullmatch(r"([^,=:/]+),(\w+=[^./]*)", name)):
        raise UsageError(f"'{typed}': options follow a colon, `{prefix}{joined[1]}:{joined[2]}`")
    parts = list(filter(None, last.split(",")))
    setting = f"{bare}="
    words = [part for part in parts if bare and ("=" not in part or part.startswith(setting))]
    if len(words) > 1 and not all(word.startswith(setting) for word in words):
        joined_words = re.sub(r",(?=[^,=]+(,|$))", "+", last)
        raise UsageError(
            f"'{typed}': join several values by +, as in `{prefix}{name}:{joined_words}`"
        )
    options: dict[str, str] = {}
    for part in parts:
        key, equals, value = part.partition("=") if "=" in part or not bare else (bare, "=", part)
        if not (key and equals and value) or key in options or ":" in key:
            raise UsageError(f"expected {form}:OPTION=VALUE,..., got '{typed}'")
        options[key] = value
    before = name.rpartition(":")[2]
    if options and "=" in before and not any(sign in before for sign in (os.sep, "/", ".")):
        raise UsageError(f"'{typed}': separate options by commas, {before},{last}")
    return name, options
