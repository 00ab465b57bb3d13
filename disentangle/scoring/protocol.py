"""Protocols: how scores are computed. Each is a small TOML file; users can write their own."""

import hashlib
import tomllib
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from disentangle._utils.strict import Strict, first_error, packaged_toml
from disentangle.errors import DisentangleError, UsageError, suggestion, true_name
from disentangle.runs.score_records import DEFAULT_PROTOCOL
from disentangle.scoring.reduction import true_reduction

Representation = Literal["mean", "sample"]


class Protocol(Strict):
    """The content of a protocol's file, and its name."""

    name: str
    """The name in records and tables; for a user's file it includes a digest of the content."""
    about: str
    """A one-line description with the source."""
    points: Literal["independent", "disjoint"] = "independent"
    """`independent`: samples to fit and to test a metric are drawn independently and may share
    images. `disjoint`: they share none, neither with each other nor with the training images."""
    representations: tuple[Representation, ...] = Field(default=("mean",), min_length=1)
    """The code of an image: the mean of q(z|x), or a sample from it."""
    reduction: str = ""
    """The reduction of codes in blocks [N, B, M] if none is given; codes [N, D] have none."""
    metrics: tuple[str, ...] | None = None
    """The metrics that run by default, overriding the metrics' own choice."""
    knobs: dict[str, dict[str, Any]] = Field(default={})
    """Metric -> its knobs, where they differ from the metric's defaults."""

    @field_validator("reduction")
    @classmethod
    def _true_reduction(cls, text: str) -> str:
        try:
            return true_reduction(text)
        except UsageError as error:
            raise ValueError(str(error)) from None

    @cached_property
    def disjoint(self) -> bool:
        """True if no image may be used twice."""
        return self.points == "disjoint"


@cache
def known_protocols() -> Mapping[str, Protocol]:
    """The built-in protocols by name."""
    files = packaged_toml("disentangle.scoring", "protocols")
    return {name: Protocol(name=name, **content) for name, content in files.items()}


def load_protocol(name: str | Path = DEFAULT_PROTOCOL) -> Protocol:
    """Load a protocol by name, in any case, or from a TOML file.

    Raises:
        UsageError: no protocol has this name, or the file is not a valid protocol.
        DisentangleError: the file cannot be read.
    """
    text = str(name)
    if not text.endswith(".toml"):
        protocols = known_protocols()
        known = true_name(text, protocols)
        if known not in protocols:
            raise UsageError(
                f"no protocol '{text}'{suggestion(text, protocols)}; for a file of your own, give "
                "a path that ends with .toml"
            )
        return protocols[known]
    path = Path(name).expanduser()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DisentangleError(f"{path}: {error.strerror or error}") from error
    digest = hashlib.sha256(content).hexdigest()[:8]
    return parse(f"{path.stem}@{digest}", content, str(path))


def parse(name: str, content: bytes, where: str) -> Protocol:
    """Parse the content of a protocol's file."""
    try:
        fields = tomllib.loads(content.decode("utf-8-sig"))  # some editors begin with a BOM
        if "name" in fields:
            raise TypeError("remove the field `name`: the file's name is the protocol's name")
        return Protocol(name=name, **fields)
    except ValidationError as error:
        reason = first_error(error)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        reason = str(error)
    raise UsageError(f"{where}: invalid protocol: {reason}")
