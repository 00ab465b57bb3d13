"""Presets: papers' settings by model and dataset, as small data files."""

from typing import Any

from pydantic import Field

from disentangle._utils.strict import Strict, packaged_toml
from disentangle.errors import UsageError, suggestion


class Settings(Strict):
    """Values for some models on some datasets."""

    models: tuple[str, ...] | None = None
    """Those that it is for; all unless given. `datasets` likewise."""
    datasets: tuple[str, ...] | None = None
    model: dict[str, Any] = Field(default_factory=dict)
    """Knobs of the model."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Options of the trainer."""
    note: str = ""
    """What a user must know before training with these."""

    def fit(self, model: str, dataset: str) -> bool:
        """Say whether they are for this model on this dataset."""
        right = self.models is None or model in self.models
        return right and (self.datasets is None or dataset in self.datasets)


class Preset(Strict):
    """A paper's settings; later ones go before earlier ones."""

    about: str
    settings: tuple[Settings, ...]

    def choose(self, name: str, model: str, dataset: str) -> Settings:
        """Return all that the preset says of this model on this dataset, as one.

        Raises:
            UsageError: it says nothing.
        """
        found = [settings for settings in self.settings if settings.fit(model, dataset)]
        if not found:
            known = sorted({d for settings in self.settings for d in settings.datasets or ()})
            raise UsageError(f"preset '{name}' says nothing of {dataset}; of {', '.join(known)}")
        return Settings(
            model={k: v for settings in found for k, v in settings.model.items()},
            training={k: v for settings in found for k, v in settings.training.items()},
            note="; ".join(settings.note for settings in found if settings.note),
        )


def known_presets() -> dict[str, Preset]:
    """Return the presets by name."""
    files = packaged_toml("disentangle.training", "presets")
    return {name: Preset(**content) for name, content in files.items()}


def load_preset(name: str) -> Preset:
    """Return the preset of this name.

    Raises:
        UsageError: there is none.
    """
    known = known_presets()
    if name not in known:
        raise UsageError(f"no preset '{name}'{suggestion(name, known)}")
    return known[name]
