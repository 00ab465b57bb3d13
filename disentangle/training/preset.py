"""Presets: the settings of papers by model and dataset, in small TOML files."""

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import Field

from disentangle._utils.strict import Strict, packaged_toml
from disentangle.errors import OldSpelling, UsageError, suggestion, true_name

OLD_NAMES = {"seed": "replication"}
"""Old name of a preset -> its name; records of runs keep the old one."""


class Settings(Strict):
    """Values for some models on some datasets."""

    models: tuple[str, ...] | None = None
    """The models that the values are for [default: all]."""
    datasets: tuple[str, ...] | None = None
    """The datasets that the values are for [default: all]."""
    model: dict[str, Any] = Field(default_factory=dict)
    """Knobs of the model."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Training options."""
    note: str = ""
    """A note that is shown before training."""

    def fit(self, model: str, dataset: str) -> bool:
        """True if the values are for this model and dataset."""
        for_model = self.models is None or model in self.models
        return for_model and (self.datasets is None or dataset in self.datasets)


class Preset(Strict):
    """A paper's settings; later entries override earlier ones."""

    name: str
    about: str
    settings: tuple[Settings, ...]

    def choose(self, name: str, model: str, dataset: str) -> Settings:
        """Merge the preset's values for a model on a dataset.

        Raises:
            UsageError: the preset has no values for them.
        """
        matches = [settings for settings in self.settings if settings.fit(model, dataset)]
        if not matches:
            datasets = sorted({d for settings in self.settings for d in settings.datasets or ()})
            raise UsageError(
                f"preset '{name}' has no settings for {dataset}, only for {', '.join(datasets)}"
            )
        return Settings(
            model={k: v for settings in matches for k, v in settings.model.items()},
            training={k: v for settings in matches for k, v in settings.training.items()},
            note="; ".join(settings.note for settings in matches if settings.note),
        )


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
