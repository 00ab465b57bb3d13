"""Study files: which models are trained on which datasets, and what is asked of the runs."""

import tomllib
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, StrictInt, StrictStr, ValidationError, model_validator

from disentangle._utils.strict import Strict, error_place, first_error
from disentangle.data import loading
from disentangle.errors import DisentangleError, UsageError
from disentangle.score_tables.statistics import Statistic
from disentangle.scoring.protocol import DEFAULT

OPENING = ("file", "image_size", "channels")
SEEDS = 1_000_000
"""More are a slip."""
VIEW = ("split", "factors", "hold_out", "hold_out_seed")
"""What may be said of a dataset beside its name: how it is opened, and which part is taken."""


class DatasetAsked(Strict):
    """`dataset = { ... }`: a dataset by more than its name."""

    name: StrictStr
    file: StrictStr | None = None
    image_size: StrictInt | None = None
    channels: StrictInt | None = None
    split: StrictStr | None = None
    factors: tuple[StrictStr, ...] | None = Field(default=None, min_length=1)
    hold_out: tuple[StrictStr, ...] = ()
    hold_out_seed: StrictInt = Field(default=0, ge=0)


class ScoresAsked(Strict):
    """`[[scores]]`: what every run is scored by."""

    metrics: tuple[str, ...] | None = Field(default=None, min_length=1)
    protocols: tuple[str, ...] = Field(default=(DEFAULT,), min_length=1)
    """Names, or TOML files, which are looked for beside the study's file."""
    seed: int = Field(default=0, ge=0)
    datasets: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Those whose runs are scored so; all unless given."""
    split: str | None = None
    factors: tuple[str, ...] | None = Field(default=None, min_length=1)


class TablesAsked(Strict):
    """`[tables]`: how the score tables are made, as by `disentangle table`."""

    columns: tuple[str, ...] = ()
    statistic: Statistic = "mean"
    choose: str = "all"
    published: bool = False
    corrected: bool = False


class FigureAsked(Strict):
    """`[[figures]]`: a figure over the runs, as by `disentangle figure`; one for each dataset."""

    kind: Literal["sweep", "rate-distortion", "protocols", "variance", "agreement"]
    score: str | tuple[str, ...] | None = None
    knob: str | None = None
    where: tuple[str, ...] = ()

    @model_validator(mode="after")
    def complete(self) -> Self:
        """Refuse a figure that lacks what it is drawn of."""
        if self.kind in ("sweep", "protocols") and not isinstance(self.score, str):
            raise ValueError(f"a figure '{self.kind}' is of one score: score = ...")
        if (self.kind == "sweep") != (self.knob is not None):
            raise ValueError("a knob is given to a figure 'sweep', and to no other")
        if self.kind == "rate-distortion" and self.score is not None:
            raise ValueError("a figure 'rate-distortion' takes no score")
        return self


class StudyFile(Strict):
    """What a study's file says."""

    about: str = ""
    runs_of: tuple[str, ...] = ()
    """Other studies' files, whose runs are asked for here too, and stay theirs."""
    defaults: dict[str, Any] = Field(default={})
    """What every one of `runs` says unless it says otherwise."""
    runs: tuple[dict[str, Any], ...] = ()
    """Each is what `disentangle train` takes; a list stands for several runs."""
    scores: tuple[ScoresAsked, ...] = (ScoresAsked(),)
    baselines: bool | tuple[str, ...] = False
    """Whether to score the baselines of each dataset too, or which."""
    pictures: bool = True
    """Whether each run gets figures of its own."""
    tables: TablesAsked = TablesAsked()
    figures: tuple[FigureAsked, ...] = ()


def read_text(file: Path) -> str:
    """Return the text of a study's file.

    Raises:
        DisentangleError: it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DisentangleError(f"{file}: cannot be read: {reason}") from error


def parse_study(text: str, file: Path) -> StudyFile:
    """Return what the text of a study's file says.

    Raises:
        UsageError: it is no TOML, or says what no study says; the message names the line or the
            key.
    """
    try:
        said = StudyFile(**tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: {error}") from error
    except ValidationError as error:
        raise UsageError(f"{file}: {said_of(error)}") from error
    if not said.runs and not said.runs_of:
        raise UsageError(f"{file}: it asks for no run: write [[runs]], or runs_of = [...]")
    if said.defaults and not said.runs:
        raise UsageError(f"{file}: [defaults] are of [[runs]], and there are none")
    return said


def said_of(error: ValidationError) -> str:
    """Return the place and the reason of an error, in the words of TOML."""
    first = error.errors()[0]
    where = error_place(first)
    kind, given = first["type"], first["input"]
    if where == "baselines":
        return "baselines: write true, false or a list of names"
    if kind == "tuple_type" and isinstance(given, dict) and where in ("runs", "scores", "figures"):
        return f"{where}: write [[{where}]], as there may be several"
    if kind == "tuple_type":
        return f"{where}: write a list: [...]; got {given!r}"
    if kind in ("dict_type", "model_type"):
        return f"{where}: write a table; got {given!r}"
    return first_error(error)


def expand(block: Mapping[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """Yield every combination of what a block of `runs` says; `seeds = 3` means seeds 0, 1, 2.

    Raises:
        UsageError: a list is empty, or the seeds are none.
    """
    given = {key.replace("-", "_"): value for key, value in block.items()}
    for key in ("model", "dataset"):
        if key not in given:
            raise UsageError(f"{where}: no {key} is named")
    if "seeds" in given:
        seeds = given.pop("seeds")
        if "seed" in given:
            raise UsageError(f"{where}: give seed or seeds, not both")
        if type(seeds) is not int or not 1 <= seeds <= SEEDS:
            raise UsageError(f"{where}: seeds is their number, 1 or more; for a list write seed")
        given["seed"] = list(range(seeds))
    axes = {key: value if isinstance(value, list) else [value] for key, value in given.items()}
    for key, values in axes.items():
        if not values:
            raise UsageError(f"{where}: {key} is an empty list")
    for combination in product(*axes.values()):
        yield dict(zip(axes, combination, strict=True))


def dataset_of(chosen: Any, file: Path) -> dict[str, Any]:
    """Return the name of a dataset and how it is opened; a path starts at the study's file.

    Raises:
        UsageError: it says something else.
    """
    about = {"name": chosen} if isinstance(chosen, str) else chosen
    if not isinstance(about, dict) or not isinstance(about.get("name"), str):
        raise UsageError("a dataset is a name, or a table with one: { name = ..., split = ... }")
    known = ("name", *OPENING, *VIEW)
    for key in about:
        if key not in known:
            raise UsageError(f"dataset: no '{key}'; known: {', '.join(known)}")
    try:
        DatasetAsked(**about)
    except ValidationError as error:
        raise UsageError(f"dataset.{said_of(error)}") from error
    found = dict(about)
    if loading.is_path(found["name"]):
        found["name"] = str((file.parent / found["name"]).resolve())
    if "file" in found:
        found["file"] = str((file.parent / str(found["file"])).resolve())
    return found
