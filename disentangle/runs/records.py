"""Records of runs on disk, strictly validated when they are read."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import ConfigDict, Field, ValidationError

from disentangle._utils.strict import Strict, first_error
from disentangle._utils.text import count
from disentangle.contracts import entry_points
from disentangle.contracts.common_options import Common, Training
from disentangle.contracts.dataset import Dataset, Grid, Labelled
from disentangle.contracts.plugin import knobs
from disentangle.errors import DisentangleError

Value = bool | int | float | str
View = dict[str, str | int | tuple[str, ...]]
R = TypeVar("R", bound="Record")


class Record(Strict):
    """Base class of records on disk; strict, so that an invalid file gets a clear message."""

    model_config = ConfigDict(ser_json_inf_nan="strings")


class SettingRecord(Record):
    """A knob's value, the plugin's default, and the origin of the value."""

    value: Value
    default: Value
    origin: Literal["given", "preset", "dataset", "default"]


class DatasetRecord(Record):
    """The dataset of a run or score: what it is, where it came from, and how to reopen it."""

    name: str
    fingerprint: str
    source: str
    strength: str
    images: int
    image_shape: tuple[int, int, int]
    factors: dict[str, int] = Field(default={})
    kinds: dict[str, str] = Field(default={})
    """The kinds of the scored factors of real numbers; see `Labelled.kinds`."""
    view: View = Field(default={})
    data_dir: str | None = None
    file: str | None = None
    image_size: int | None = None
    channels: int | None = None
    dependence: str = ""
    """Why the default metrics are those for dependent factors; empty if they are not."""

    @property
    def scored_dependence(self) -> str:
        """Why metrics of independent factors are not among the defaults on this view, if scored."""
        return self.dependence or correlated_draws(self.view)

    @classmethod
    def of(cls, dataset: Dataset, **opening: Any) -> Self:
        """Make the record of an opened dataset; `opening` says where and how it was opened."""
        return cls(
            name=dataset.name or entry_points.reference_of(dataset),
            fingerprint=dataset.fingerprint,
            source=dataset.source,
            strength=dataset.strength,
            images=len(dataset),
            image_shape=dataset.image_shape,
            factors=dataset.factors if isinstance(dataset, Labelled) else {},
            kinds=real_kinds(dataset),
            view=dict(dataset.view_record),
            dependence=dependence_of(dataset.whole),
            **opening,
        )


def real_kinds(dataset: Dataset) -> dict[str, str]:
    """The kinds of a dataset's scored factors of real numbers."""
    if not isinstance(dataset, Labelled):
        return {}
    return {name: dataset.kinds[name] for name in dataset.real_factors}


def dependence_of(dataset: Dataset) -> str:
    """Why a whole dataset's default metrics are those for dependent factors; empty if not.

    The factors depend on one another, or all are attributes of two values that do not form a grid.
    """
    if not isinstance(dataset, Labelled):
        return ""
    binary = set(dataset.factors.values()) == {2} and not isinstance(dataset, Grid)
    return dataset.dependence or ("all factors have two values" if binary else "")


class PeriodicRecord(Record):
    """Periodic actions during training, which do not affect what the model learns."""

    keep_every: int | None = None
    """Steps between permanently kept checkpoints."""
    score_every: int | None = None
    """Steps between scores, which are written to the log."""
    metrics: tuple[str, ...] = ()
    """The metrics to score."""
    named: bool = True
    """True if the user named the metrics, False for the default metrics."""


class RunRecord(Record):
    """Everything that defines a run: enough to reproduce and to compare it."""

    format: Literal[1] = 1
    model: str
    model_version: int
    network_version: int
    distribution: str
    supervision: str | None = None
    """The labels used in training, as text; empty for none, None in older records."""
    settings: dict[str, SettingRecord]
    """The model's knobs."""
    normalised: dict[str, float]
    """beta_norm and similar forms, derived from the knobs."""
    training: dict[str, SettingRecord]
    """Steps, batch size, optimiser, seed and precision."""
    preset: str | None = None
    """The paper whose settings were used, except for those with the origin `given`."""
    imported: str | None = None
    """The file of imported weights, with its digest; None if the run was trained here."""
    absent: tuple[str, ...] = ()
    """Tensors that the imported file lacks: codes and images need none of them, training does."""
    midway: PeriodicRecord = PeriodicRecord()
    """Periodic actions during training; not a part of the configuration."""
    figures: bool = True
    """False if the figures at the end were declined when training started."""
    dataset: DatasetRecord
    device: str
    threads: int
    packages: dict[str, str]
    commit: str | None = None
    started: str
    finished: str | None = None
    failed: str | None = None
    """The reason why training failed, if resuming would fail again."""
    seconds: float | None = None
    """Training time, summed over resumes, without scoring and figures."""
    weights: str | None = None
    """The digest of the final weights."""

    @property
    def knobs(self) -> dict[str, Any]:
        """The model's knobs without their origins."""
        return {name: setting.value for name, setting in self.settings.items()}

    @property
    def recipe(self) -> dict[str, Any]:
        """The training options without their origins."""
        return {name: setting.value for name, setting in self.training.items()}

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.training["seed"].value)

    @property
    def non_default_knobs(self) -> dict[str, Value]:
        """The knobs that differ from the plugin's defaults."""
        return {k: s.value for k, s in self.settings.items() if s.value != s.default}

    @property
    def shown_knobs(self) -> dict[str, Value]:
        """The knobs that a reader needs: the model's own, and common ones that were changed."""
        shared = {*knobs(Common), "kl_warmup"}
        return {
            k: v for k, v in self.knobs.items() if k not in shared or k in self.non_default_knobs
        }

    @property
    def shown_settings(self) -> dict[str, Value]:
        """The knobs that a reader needs, and the training options that were changed."""
        hidden = ("steps", "seed")
        recipe = {
            k: s.value for k, s in self.training.items() if s.value != s.default and k not in hidden
        }
        return {**self.shown_knobs, **recipe}

    @property
    def summary(self) -> str:
        """The settings that a reader needs, as text."""
        source = f"from {self.imported}" if self.imported else ""
        return ", ".join(filter(None, [describe(self.shown_settings), source])) or "-"

    @property
    def origin(self) -> str:
        """The origin of the settings as text, leaving out the length of training."""
        if self.imported is not None:
            return "imported"
        budget = ("steps", "seed", "precision", "compile")
        training = [s for k, s in self.training.items() if k not in budget]
        settings = [*self.settings.values(), *training]
        given = [s for s in settings if s.origin == "given"]
        if self.preset is not None:  # a plugin's default may be a change of the preset
            return f"preset {self.preset}" + (", changed" if given else "")
        return "by hand" if any(s.value != s.default for s in given) else "default"

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration that identifies a run, without its dataset.

        A training option that was added later is included only if it is not at its default, so that
        the ids of earlier runs do not change.
        """
        later = {name for name, knob in knobs(Training).items() if knob.added}
        return {
            "model": [self.model, self.model_version, self.network_version],
            "knobs": self.non_default_knobs,
            "training": {
                k: s.value
                for k, s in self.training.items()
                if k not in later or s.value != s.default
            },
            **({} if self.imported is None else {"imported": self.imported}),
        }

    @property
    def group(self) -> str:
        """The configuration without the seed: equal for all runs in one row of a table."""
        shared = self.configuration
        shared["training"].pop("seed")
        return json.dumps(shared, sort_keys=True)

    @property
    def data(self) -> tuple[str, str, str]:
        """The training data: the dataset's name, its part as text, and its fingerprint.

        Runs that differ in it share no table and no figure.
        """
        view = self.dataset.view
        names = view.get("factors", ())
        factors = f"factors {'+'.join(names)}" if isinstance(names, tuple) and names else ""
        part = ", ".join(filter(None, [describe_view(view), factors]))
        return self.dataset.name, part, self.dataset.fingerprint

    @property
    def id(self) -> str:
        """10 hex digits that identify configuration and dataset, not the machine or the time."""
        dataset = [self.dataset.name, self.dataset.fingerprint, self.dataset.view]
        configuration = {**self.configuration, "dataset": dataset}
        text = json.dumps(configuration, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:10]


def describe(settings: Mapping[str, Any]) -> str:
    """Settings as text."""
    return ", ".join(f"{k}={v}" for k, v in settings.items())


def parts_of(tensors: Iterable[str]) -> str:
    """Named tensors as text, by the module that they belong to."""
    counts = Counter(name.partition(".")[0] for name in tensors)
    return " and ".join(f"{part} ({count(n, 'tensor')})" for part, n in counts.items())


def describe_view(view: Mapping[str, Any]) -> str:
    """A view as text, without its factors; empty for the whole dataset."""
    parts = []
    if "split" in view:
        parts.append(f"split {view['split']}")
    if "hold_out" in view:
        held_out = " and ".join(view["hold_out"])
        name = view.get("hold_out_name")
        parts.append(f"held out {name} ({held_out})" if name else f"held out {held_out}")
    if "hold_out_seed" in view:
        parts.append(f"by seed {view['hold_out_seed']}")
    if "correlate" in view:
        parts.append("correlated " + " and ".join(view["correlate"]))
    return ", ".join(parts)


def correlated_draws(view: Mapping[str, Any]) -> str:
    """A view's correlation, as a reason why factors are not independent; empty if it has none."""
    pairs = view.get("correlate")
    return f"images are drawn by correlated factors ({' and '.join(pairs)})" if pairs else ""


def uncorrelated(view: View) -> View:
    """A view without its correlation, which changes how often images are drawn, but not which."""
    return {name: choice for name, choice in view.items() if name != "correlate"}


def read_record(cls: type[R], file: Path) -> R:
    """Read a record from a file.

    Raises:
        FileNotFoundError: there is no such file.
        DisentangleError: the file cannot be read or is invalid; the message names the field.
    """
    try:
        return cls.model_validate_json(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(file) from None
    except ValidationError as error:
        reason = first_error(error)
    except (OSError, UnicodeDecodeError) as error:
        reason = str(error)
    raise DisentangleError(f"{file}: invalid record: {reason}. Fix the file, or move it elsewhere.")
