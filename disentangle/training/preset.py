"""Presets: the settings of papers by model and dataset, in small TOML files."""

import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import Field

from disentangle._utils.strict import Strict, packaged_toml
from disentangle._utils.text import joined
from disentangle.contracts.common_options import Common
from disentangle.contracts.plugin import knobs
from disentangle.contracts.settings import NORMALISED
from disentangle.errors import OldSpelling, UsageError, suggestion, true_name

OLD_NAMES = {"seed": "replication"}
"""Old name of a preset -> its name; records of runs keep the old one."""
Values = Mapping[str, Any]
NOTHING: Values = MappingProxyType({})


class Settings(Strict):
    """Values for some of a preset's models and datasets."""

    models: tuple[str, ...] | None = None
    """The models that the values are for [default: all of the preset's]."""
    datasets: tuple[str, ...] | None = None
    """The datasets that the values are for [default: all of the preset's]."""
    model: dict[str, Any] = Field(default_factory=dict)
    """Knobs of the model."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Training options."""
    sweep: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    """Knob -> the values that the paper tries, of which the user gives one.

    The first knob is the one to give; any others change together with it.
    """
    note: str = ""
    """A note that is shown before training."""

    def fit(self, model: str, dataset: str) -> bool:
        """True if the values are for this model and dataset."""
        for_model = self.models is None or model in self.models
        return for_model and (self.datasets is None or dataset in self.datasets)

    def swept(self, given: Values) -> Values:
        """The paper's values of the swept knobs that agree with those given; none if none do."""
        named = {k: v for k, v in given.items() if k in self.sweep}
        points = [
            dict(zip(self.sweep, point, strict=True))
            for point in zip(*self.sweep.values(), strict=True)
        ]
        same = [point for point in points if all(point[k] == v for k, v in named.items())]
        return same[0] if len(same) == 1 else NOTHING


class Preset(Strict):
    """A paper's settings; later entries override earlier ones."""

    name: str
    about: str
    models: tuple[str, ...]
    """The models that the paper trains."""
    datasets: tuple[str, ...]
    """The datasets that it trains them on."""
    settings: tuple[Settings, ...]

    def choose(self, name: str, model: str, dataset: str, given: Values = NOTHING) -> Settings:
        """Merge the preset's values for a model on a dataset.

        Args:
            name: the preset's name.
            model: the model's registered name.
            dataset: the dataset's registered name.
            given: the model's knobs that the user gave. If they are a point of the paper's sweep,
                the point's values are the preset's.

        Raises:
            UsageError: the paper has not trained this model on this dataset, or it has tried
                several values of a knob and none is given.
        """
        if model not in self.models or dataset not in self.datasets:
            raise UsageError(
                f"preset '{name}' has no settings for {model} on {dataset}, only for "
                f"{joined(self.models)} on {joined(self.datasets)}; "
                f"{self.by_options(model, dataset)}"
            )
        merged = self.merged(model, dataset)
        knob = next(iter(merged.sweep), None)
        if knob is not None and not {*merged.sweep, knob + NORMALISED} & set(given):
            values = ", ".join(f"{value:g}" for value in merged.sweep[knob])
            raise UsageError(
                f"preset '{name}' sweeps {knob} for {model} over {values}; give one of "
                f"these, such as `{option(knob)} {merged.sweep[knob][0]:g}`"
            )
        return merged.model_copy(update={"model": {**merged.model, **merged.swept(given)}})

    def merged(self, model: str, dataset: str) -> Settings:
        """Merge all entries that fit a model and a dataset."""
        fitting = [settings for settings in self.settings if settings.fit(model, dataset)]
        return Settings(
            model={k: v for settings in fitting for k, v in settings.model.items()},
            training={k: v for settings in fitting for k, v in settings.training.items()},
            sweep={k: v for settings in fitting for k, v in settings.sweep.items()},
            note="; ".join(settings.note for settings in fitting if settings.note),
        )

    def by_options(self, model: str, dataset: str) -> str:
        """Say which options set the preset's values for a model or dataset that it does not have.

        They are the values of the nearest model and dataset, without knobs of another model.
        """
        nearest = model if model in self.models else self.models[0]
        near = dataset if dataset in self.datasets else self.datasets[0]
        merged = self.merged(nearest, near)
        offered = merged.model if nearest == model else set(merged.model) & set(knobs(Common))
        values = {k: v for k, v in merged.model.items() if k in offered} | merged.training
        options = " ".join(option_with(k, v) for k, v in values.items())
        return f"to use its values for {nearest} on {near}, give them as options: `{options}`"

    def lines(self) -> Iterator[str]:
        """Describe the preset in lines of text: what it is for, and its values case by case."""
        yield f"models: {', '.join(self.models)}"
        yield f"datasets: {', '.join(self.datasets)}"
        for settings in self.settings:
            models = settings.models or (self.models if len(self.models) == 1 else ["all models"])
            yield ""
            yield f"{', '.join(models)} on {', '.join(settings.datasets or ['all datasets'])}:"
            for title, values in (("model", settings.model), ("training", settings.training)):
                if values:
                    yield f"  {title}: {'; '.join(f'{k} {v}' for k, v in values.items())}"
            for title, (knob, tried) in zip(
                ("sweep", "with"), settings.sweep.items(), strict=False
            ):
                yield f"  {title}: {knob} {', '.join(f'{value:g}' for value in tried)}"
            if settings.note:
                yield f"  note: {settings.note}"


def option(knob: str) -> str:
    """The command-line option of a knob."""
    return f"--{knob.replace('_', '-')}"


def option_with(knob: str, value: Any) -> str:
    """The command-line option that sets a knob to a value; a flag for true or false."""
    if isinstance(value, bool):
        return option(knob if value else f"no-{knob}")
    return f"{option(knob)} {value}"


@cache
def known_presets() -> Mapping[str, Preset]:
    """The built-in presets by name."""
    files = packaged_toml("disentangle.training", "presets")
    return {name: Preset(name=name, **content) for name, content in files.items()}


def load_preset(name: str) -> Preset:
    """Load a preset by its name, in any case.

    Raises:
        UsageError: there is no preset with this name.
    """
    presets = known_presets()
    known = true_name(name, [*presets, *OLD_NAMES])
    if known in OLD_NAMES:
        known = OLD_NAMES[known]
        warnings.warn(f"preset '{name}' is now '{known}'", OldSpelling, stacklevel=2)
    if known not in presets:
        raise UsageError(f"no preset '{name}'{suggestion(name, presets)}")
    return presets[known]
