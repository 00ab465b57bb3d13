"""Protocols: how scores are taken. Each is a small data file, so that users can write their own."""

import hashlib
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from disentangle._utils.strict import Strict, first_error, packaged_toml
from disentangle.errors import DisentangleError, UsageError, suggestion

DEFAULT = "locatello2019"
Representation = Literal["mean", "sample"]


class Protocol(Strict):
    """What a protocol's file says, and its name."""

    name: str
    """For records and tables; that of a user's own file holds a digest of what it says."""
    about: str
    """One line for people, with the source."""
    points: Literal["independent", "disjoint"] = "independent"
    """Whether points to fit on and to test on are drawn apart, or may share images; `disjoint`
    ones share none with those that the model was trained on either."""
    representations: tuple[Representation, ...] = Field(default=("mean",), min_length=1)
    """What stands for an image: the mean of q(z|x), or a sample of it."""
    metrics: tuple[str, ...] | None = None
    """Those that run when none is named, in place of the metrics' own choice."""
    knobs: dict[str, dict[str, Any]] = Field(default={})
    """Metric -> its knobs, where they differ from the metric's own defaults."""

    @cached_property
    def disjoint(self) -> bool:
        """Say whether no image may serve twice."""
        return self.points == "disjoint"


def known_protocols() -> dict[str, Protocol]:
    """Return the protocols that come with this program, by name."""
    files = packaged_toml("disentangle.scoring", "protocols")
    return {name: Protocol(name=name, **content) for name, content in files.items()}


def load_protocol(name: str | Path = DEFAULT) -> Protocol:
    """Return the protocol of this name, or that in a TOML file of the user's.

    Raises:
        UsageError: no protocol has this name.
        DisentangleError: the file cannot be read, or does not say what a protocol says.
    """
    text = str(name)
    if not text.endswith(".toml"):
        known = known_protocols()
        if text not in known:
            raise UsageError(
                f"no protocol '{text}'{suggestion(text, known)}; one of your own is a path that "
                "ends with .toml"
            )
        return known[text]
    path = Path(name).expanduser()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DisentangleError(f"{path}: {error.strerror or error}") from error
    digest = hashlib.sha256(content).hexdigest()[:8]
    return parse(f"{path.stem}@{digest}", content, str(path))


def parse(name: str, content: bytes, where: str) -> Protocol:
    """Return the protocol that a file's content says."""
    try:
        said = tomllib.loads(content.decode())
        if "name" in said:
            raise TypeError("it has no name but that of its file")
        return Protocol(name=name, **said)
    except ValidationError as error:
        reason = first_error(error)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        reason = str(error)
    raise UsageError(f"{where}: not a protocol: {reason}")
