"""Study files: models, datasets, scores, tables and figures of a study."""

import tomllib
import warnings
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, StrictStr, ValidationError, field_validator, model_validator

from disentangle._utils.strict import Strict, Whole, error_place, first_error
from disentangle._utils.text import whole
from disentangle.data.names import inner_path, with_path
from disentangle.errors import DisentangleError, OldSpelling, UsageError
from disentangle.runs.score_records import DEFAULT_PROTOCOL
from disentangle.score_tables.statistics import Statistic

OPENING = ("file", "image_size", "channels")
"""Keys of a dataset that set how it is opened."""
SEEDS = 1_000_000
"""Maximum number of seeds; more is taken for a mistake."""
VIEW = ("split", "factors", "hold_out", "hold_out_seed", "correlate")
"""Keys of a dataset besides `name` and `OPENING`: the part to use."""


class DatasetAsked(Strict):
    """`dataset = { ... }`: a dataset with options."""

    name: StrictStr
    file: StrictStr | None = None
    image_size: Whole | None = None
    channels: Whole | None = None
    split: StrictStr | None = None
    factors: tuple[StrictStr, ...] | None = Field(default=None, min_length=1)
    hold_out: tuple[StrictStr, ...] = ()
    hold_out_seed: Whole = Field(default=0, ge=0)
    correlate: tuple[StrictStr, ...] = ()


class ScoresAsked(Strict):
    """`[[scores]]`: a set of scores for every run."""

    metrics: tuple[str, ...] | None = Field(default=None, min_length=1)
    protocols: tuple[str, ...] = Field(default=(DEFAULT_PROTOCOL,), min_length=1)
    """Names, or TOML files relative to the study file."""
    seed: Whole = Field(default=0, ge=0)
    datasets: tuple[str, ...] | None = Field(default=None, min_length=1)
    """The datasets whose runs get these scores; all by default."""
    held_out: bool = False
    """Whether only runs get these scores that hold out images."""
    correlated: bool = False
    """Whether images are drawn by the correlated factors of the training, for the runs that have
    some; the others do not get these scores."""
    split: str | None = None
    factors: tuple[str, ...] | None = Field(default=None, min_length=1)


class TablesAsked(Strict):
    """`[tables]`: options of the score tables, as in `disentangle table`."""

    columns: tuple[str, ...] = ()
    statistic: Statistic = "mean"
    choose: str = "all"
    published: bool = False
    corrected: bool = False


class FigureAsked(Strict):
    """`[[figures]]`: a figure over the runs, as in `disentangle figure`; one for each dataset."""

    kind: Literal[
        "effect", "rate-distortion", "protocols", "variance", "agreement", "shift", "trained-on"
    ]
    score: str | tuple[str, ...] | None = None
    knob: str | None = None
    where: tuple[str, ...] = ()

    @field_validator("kind", mode="before")
    @classmethod
    def current_name(cls, kind: Any) -> Any:
        """The name of a kind that was given by its old name, with a warning."""
        if kind == "sweep":
            warnings.warn("figure kind 'sweep' is now 'effect'", OldSpelling, stacklevel=2)
            return "effect"
        return kind

    @model_validator(mode="after")
    def complete(self) -> Self:
        """Raise an error for a figure with missing or superfluous keys."""
        effect = self.kind == "effect"
        one_score = ("effect", "protocols", "shift", "trained-on")
        if self.kind in one_score and not isinstance(self.score, str):
            raise ValueError(f"figure '{self.kind}' requires one score: score = ...")
        if effect != (self.knob is not None):
            raise ValueError("knob is required for figure 'effect' and not allowed for others")
        if self.kind == "rate-distortion" and isinstance(self.score, tuple):
            raise ValueError("figure 'rate-distortion' takes one score, the heading of its rate")
        return self


class StudyFile(Strict):
    """The content of a study file."""

    about: str = ""
    runs_of: tuple[str, ...] = ()
    """Other study files whose runs are included; the runs stay in their own study's folder."""
    defaults: dict[str, Any] = Field(default={})
    """Settings of all `runs`; each of them can override these."""
    runs: tuple[dict[str, Any], ...] = ()
    """Each holds options of `disentangle train`; a list stands for several runs."""
    scores: tuple[ScoresAsked, ...] = (ScoresAsked(),)
    baselines: bool | tuple[str, ...] = False
    """Whether to score the baselines of each dataset too; or the names of some."""
    pictures: bool = True
    """Whether to draw the figures of each run."""
    track: tuple[StrictStr, ...] = ()
    """Trackers of every run, with optional settings: `"wandb:project=mine"`."""
    tables: TablesAsked = TablesAsked()
    figures: tuple[FigureAsked, ...] = ()


def read_text(file: Path) -> str:
    """Read a study file.

    Raises:
        DisentangleError: the file cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8-sig")  # some editors begin with a BOM
    except UnicodeDecodeError as error:
        raise DisentangleError(f"{file}: it is not text in UTF-8; save it as UTF-8") from error
    except OSError as error:
        raise DisentangleError(f"{file}: cannot be read: {error.strerror or error}") from error


def parse_study(text: str, file: Path) -> StudyFile:
    """Parse the text of a study file.

    Raises:
        UsageError: the text is not valid TOML or not a valid study; the message names the line or
            the key.
    """
    try:
        study = StudyFile(**tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: {error}") from error
    except ValidationError as error:
        raise UsageError(f"{file}: {describe_error(error)}") from error
    if not study.runs and not study.runs_of:
        raise UsageError(f"{file}: no runs; add [[runs]] or runs_of = [...]")
    if study.defaults and not study.runs:
        raise UsageError(f"{file}: [defaults] requires [[runs]]")
    return study


def describe_error(error: ValidationError) -> str:
    """Describe the place and the reason of an error in terms of TOML."""
    first = error.errors()[0]
    where = error_place(first)
    error_type, value = first["type"], first["input"]
    if where == "baselines":
        return "baselines: expected true, false or a list of names"
    if error_type == "tuple_type":
        if isinstance(value, dict) and where in ("runs", "scores", "figures"):
            return f"{where}: expected an array of tables, [[{where}]]"
        return f"{where}: expected a list [...], got {value!r}"
    if error_type in ("dict_type", "model_type"):
        return f"{where}: expected a table, got {value!r}"
    return first_error(error)


def expand(block: Mapping[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """Yield every combination of the settings in a block of `runs`; `seeds = 3` means 0, 1, 2.

    Raises:
        UsageError: a list is empty, or `seeds` is not a positive number.
    """
    given = {key.replace("-", "_"): value for key, value in block.items()}
    for key in ("model", "dataset"):
        if key not in given:
            raise UsageError(f"{where}: {key} is missing")
    if "seeds" in given:
        seeds = whole(given.pop("seeds"))
        if "seed" in given:
            raise UsageError(f"{where}: give seed or seeds, not both")
        if type(seeds) is not int or not 1 <= seeds <= SEEDS:
            raise UsageError(
                f"{where}: `seeds` is a count, 1 or more (seeds = 3). "
                "For explicit seeds use `seed = [0, 7]`."
            )
        given["seed"] = list(range(seeds))
    axes = {key: value if isinstance(value, list) else [value] for key, value in given.items()}
    for key, values in axes.items():
        if not values:
            raise UsageError(f"{where}: {key} is an empty list")
    for combination in product(*axes.values()):
        yield dict(zip(axes, combination, strict=True))


def dataset_of(dataset: Any, file: Path) -> dict[str, Any]:
    """Return the keys of a dataset, given by name or as a table; paths start at the study file.

    Raises:
        UsageError: it is neither, or a key or value is invalid.
    """
    given = {"name": dataset} if isinstance(dataset, str) else dataset
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise UsageError("dataset: expected a name, or a table { name = ..., split = ... }")
    keys = ("name", *OPENING, *VIEW)
    for key in given:
        if key not in keys:
            raise UsageError(f"dataset: unknown key '{key}'; expected one of {', '.join(keys)}")
    try:
        DatasetAsked(**given)
    except ValidationError as error:
        raise UsageError(f"dataset.{describe_error(error)}") from error
    resolved = dict(given)
    name = resolved["name"]
    if (path := inner_path(name)) is not None:
        resolved["name"] = with_path(name, (file.parent / Path(path).expanduser()).resolve())
    if "file" in resolved:
        resolved["file"] = str((file.parent / str(resolved["file"])).resolve())
    return resolved
