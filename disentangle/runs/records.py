"""What is written to disk about a run: strict records, read back or refused."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import ConfigDict, Field, ValidationError

from disentangle._utils.strict import Strict, first_error
from disentangle.contracts import entry_points
from disentangle.contracts.common_options import Common, Training
from disentangle.contracts.dataset import Dataset, Labelled
from disentangle.contracts.plugin import knobs
from disentangle.errors import DisentangleError

Value = bool | int | float | str
View = dict[str, str | int | tuple[str, ...]]
R = TypeVar("R", bound="Record")


class Record(Strict):
    """What is written to disk: strict, so that a hand-edited file gets a message."""

    model_config = ConfigDict(ser_json_inf_nan="strings")


class SettingRecord(Record):
    """A knob's value, its plugin's default, and where the value came from."""

    value: Value
    default: Value
    origin: Literal["given", "preset", "dataset", "default"]


class DatasetRecord(Record):
    """The dataset that a run or a score used: what it was, where it came from, how to reopen it."""

    name: str
    fingerprint: str
    source: str
    strength: str
    images: int
    image_shape: tuple[int, int, int]
    factors: dict[str, int] = Field(default={})
    view: View = Field(default={})
    data_dir: str | None = None
    file: str | None = None
    image_size: int | None = None
    channels: int | None = None

    @classmethod
    def of(cls, dataset: Dataset, **found: Any) -> Self:
        """Return the record of an opened dataset, and of where and how it was found."""
        return cls(
            name=dataset.name or entry_points.reference_of(dataset),
            fingerprint=dataset.fingerprint,
            source=dataset.source,
            strength=dataset.strength,
            images=len(dataset),
            image_shape=dataset.image_shape,
            factors=dataset.factors if isinstance(dataset, Labelled) else {},
            view=dict(dataset.view_record),
            **found,
        )


class PeriodicRecord(Record):
    """What a run does on its way, which changes nothing of what it learns."""

    keep_every: int | None = None
    """Steps between checkpoints that are kept for good."""
    score_every: int | None = None
    """Steps between scores, which go to the log."""
    metrics: tuple[str, ...] = ()
    """Those that are scored."""
    named: bool = True
    """Whether the user named them, rather than taking the default ones."""


class RunRecord(Record):
    """All that made a run: enough to make it again, and to compare it."""

    format: Literal[1] = 1
    model: str
    model_version: int
    network_version: int
    distribution: str
    supervision: str | None = None
    """What training took from labels, in words; empty for nothing, None in older records."""
    settings: dict[str, SettingRecord]
    """The model's knobs."""
    normalised: dict[str, float]
    """beta_norm and its like, derived from the knobs."""
    training: dict[str, SettingRecord]
    """Steps, batch size, optimiser, seed and precision."""
    preset: str | None = None
    """The paper whose settings were taken, but for those with the origin `given`."""
    imported: str | None = None
    """The file that the weights came from, with its digest: nothing was trained here."""
    midway: PeriodicRecord = PeriodicRecord()
    """What it does on its way; no part of the configuration."""
    dataset: DatasetRecord
    device: str
    threads: int
    packages: dict[str, str]
    commit: str | None = None
    started: str
    finished: str | None = None
    failed: str | None = None
    """Why training stopped, where going on comes to the same end."""
    seconds: float | None = None
    """Training time, summed over resumes, without scoring and figures."""
    weights: str | None = None
    """The digest of the final weights."""

    @property
    def knobs(self) -> dict[str, Any]:
        """Return the model's knobs without their origins."""
        return {name: setting.value for name, setting in self.settings.items()}

    @property
    def recipe(self) -> dict[str, Any]:
        """Return the trainer's options without their origins."""
        return {name: setting.value for name, setting in self.training.items()}

    @property
    def seed(self) -> int:
        """Return the seed."""
        return int(self.training["seed"].value)

    @property
    def non_default_knobs(self) -> dict[str, Value]:
        """Return the knobs that are not at the plugin's default."""
        return {k: s.value for k, s in self.settings.items() if s.value != s.default}

    @property
    def shown_knobs(self) -> dict[str, Value]:
        """Return the knobs that a reader needs: the model's own, and others that were changed."""
        shared = {*knobs(Common), "kl_warmup"}
        return {
            k: v for k, v in self.knobs.items() if k not in shared or k in self.non_default_knobs
        }

    @property
    def shown_settings(self) -> dict[str, Value]:
        """Return the knobs that a reader needs, and the trainer's options that were changed."""
        hidden = ("steps", "seed")
        recipe = {
            k: s.value for k, s in self.training.items() if s.value != s.default and k not in hidden
        }
        return {**self.shown_knobs, **recipe}

    @property
    def summary(self) -> str:
        """Return what a reader needs to know of the settings, in words."""
        source = f"from {self.imported}" if self.imported else ""
        return ", ".join(filter(None, [describe(self.shown_settings), source])) or "-"

    @property
    def origin(self) -> str:
        """Return in words where the settings came from, but for the length of training."""
        if self.imported is not None:
            return "imported"
        budget = ("steps", "seed", "precision", "compile")
        mine = [*self.settings.values(), *(s for k, s in self.training.items() if k not in budget)]
        given = any(s.origin == "given" and s.value != s.default for s in mine)
        if self.preset is not None:
            return f"preset {self.preset}" + (", changed" if given else "")
        return "by hand" if given else "default"

    @property
    def configuration(self) -> dict[str, Any]:
        """Return what makes a run what it is, but for its dataset.

        An option of the trainer that was added later is part of it only where it is not at its
        default, so that earlier runs stay what they are.
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
        """Return what the runs of one row of a table share: all of it but the seed."""
        shared = self.configuration
        shared["training"].pop("seed")
        return json.dumps(shared, sort_keys=True)

    @property
    def data(self) -> tuple[str, str, str]:
        """Return what was trained on: the dataset's name, the part of it, and its fingerprint.

        Runs that differ in it share no table and no figure.
        """
        view = self.dataset.view
        chosen = view.get("factors", ())
        factors = f"factors {'+'.join(chosen)}" if isinstance(chosen, tuple) and chosen else ""
        part = ", ".join(filter(None, [describe_view(view), factors]))
        return self.dataset.name, part, self.dataset.fingerprint

    @property
    def id(self) -> str:
        """Return 10 hex digits of the configuration, which leaves out where and when it ran."""
        dataset = [self.dataset.name, self.dataset.fingerprint, self.dataset.view]
        configuration = {**self.configuration, "dataset": dataset}
        text = json.dumps(configuration, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:10]


def describe(settings: Mapping[str, Any]) -> str:
    """Return settings in words."""
    return ", ".join(f"{k}={v}" for k, v in settings.items())


def describe_view(view: Mapping[str, Any]) -> str:
    """Return a view in words; empty for the whole dataset. Its factors are told elsewhere."""
    said = []
    if "split" in view:
        said.append(f"split {view['split']}")
    if "hold_out" in view:
        said.append("held out " + " and ".join(view["hold_out"]))
    if "hold_out_seed" in view:
        said.append(f"by seed {view['hold_out_seed']}")
    return ", ".join(said)


def read_record(cls: type[R], file: Path) -> R:
    """Return the record that a file holds.

    Raises:
        FileNotFoundError: there is no such file.
        DisentangleError: it cannot be read, or holds something else; the message names the field.
    """
    try:
        return cls.model_validate_json(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(file) from None
    except ValidationError as error:
        reason = first_error(error)
    except (OSError, UnicodeDecodeError) as error:
        reason = str(error)
    raise DisentangleError(
        f"{file}: not a record of this version: {reason}; mend it, or move it out of the way"
    )
