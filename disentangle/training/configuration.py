"""Resolve a training configuration: names and options in, validated settings and a record out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from disentangle._utils.callbacks import Say, silent
from disentangle._utils.device import device_name
from disentangle._utils.versions import commit, now, package_versions
from disentangle.contracts import entry_points, registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.dataset import Dataset, Grid
from disentangle.contracts.plugin import knobs
from disentangle.contracts.settings import (
    NORMALISED,
    Setting,
    check,
    combine,
    normalised_forms,
    option_knobs,
)
from disentangle.contracts.vectors import has_vectors
from disentangle.errors import UsageError, suggestion
from disentangle.runs.records import DatasetRecord, PeriodicRecord, RunRecord, SettingRecord
from disentangle.runs.run import Run, build_model
from disentangle.training.preset import Settings, load_preset

if TYPE_CHECKING:
    import torch

    from disentangle.contracts.model import Model


@dataclass(frozen=True)
class ModelRequest:
    """A requested model with its options, loaded and validated before a dataset is opened.

    Attributes:
        name: the registered name, or `module:name` of a class.
        kind: the class.
        settings: the model's hyper-parameters that were given.
        recipe: the training options that were given.
        preset: the name of a preset, if one was given.
    """

    name: str
    kind: "type[Model]"
    settings: Mapping[str, Setting]
    recipe: Mapping[str, Setting]
    preset: str | None = None

    @classmethod
    def of(
        cls, model: "str | type[Model]", options: Mapping[str, Any], preset: str | None = None
    ) -> Self:
        """Load a model and validate its options.

        Args:
            model: a registered name, or a class.
            options: the model's hyper-parameters and the training options, in one mapping.
            preset: the name of a preset.

        Raises:
            UsageError: an unknown model, option or preset, or a value out of bounds.
            DisentangleError: the plugin cannot be imported or breaks its contract.
        """
        if isinstance(model, str):
            name, kind = registry.models.true_name(model), registry.models.load(model)
        else:
            registry.models.check(model, f"model '{model}'")
            name, kind = entry_points.reference_of(model), model
        own, training = option_knobs(kind), knobs(Training)
        for option in options:
            if option not in own and option not in training:
                hint = suggestion(option, [*own, *training])
                raise UsageError(f"{entry_points.called(kind)} has no option '{option}'{hint}")
        settings = check(kind, {k: v for k, v in options.items() if k in own}, "given")
        recipe = check(Training, {k: v for k, v in options.items() if k in training}, "given")
        if "network" in settings:
            network = entry_points.networks.true_name(settings["network"].value)
            settings["network"] = replace(settings["network"], value=network)
        if preset is not None:
            preset = load_preset(preset).name
        return cls(name, kind, settings, recipe, preset)

    def paper(self, dataset: str) -> Settings:
        """The preset's values for this model on a dataset; none without a preset.

        Args:
            dataset: the dataset's registered name, or the path of the user's own images.

        Raises:
            UsageError: the preset has no values for them; see `Preset.choose`.
        """
        if self.preset is None:
            return Settings()
        given = {name: setting.value for name, setting in self.settings.items()}
        named = dataset or "a dataset without a name"
        return load_preset(self.preset).choose(self.preset, self.name, named, given)

    def settings_on(
        self, dataset: Dataset, preset: Mapping[str, Any] = MappingProxyType({})
    ) -> dict[str, Setting]:
        """Resolve all hyper-parameters of the model for a dataset."""
        return combine(
            self.kind,
            self.settings,
            preset=preset,
            dataset=dataset_defaults(self.kind, dataset),
            image_shape=dataset.image_shape,
        )

    def check_batch_size(self, size: int, dataset: Dataset) -> None:
        """Raise `UsageError` if batches of this size are too small, or larger than a dataset."""
        least, images = self.kind.min_batch, len(dataset)
        if images < least:
            raise UsageError(
                f"{self.name} needs batches of at least {least} images, but '{dataset.name}' has "
                f"only {images}"
            )
        if size < least:
            raise UsageError(
                f"{self.name} needs batches of at least {least} images, as its loss compares the "
                f"images of a batch; got {size}; use --batch-size {least} or more"
            )
        if size > images:
            raise UsageError(
                f"batch size {size} exceeds the {images} images of '{dataset.name}'; "
                f"use --batch-size {images} or less"
            )

    def check_dataset(self, settings: Mapping[str, Setting], dataset: Dataset) -> None:
        """Raise `UsageError` if the model refuses a dataset with these settings."""
        try:
            model = self.kind(**{name: setting.value for name, setting in settings.items()})
        except (RuntimeError, TypeError, ValueError, OverflowError):
            return  # such a model is reported when it is built
        model.check_dataset(dataset)
        labelled = model.labelled_images()
        if labelled > len(dataset):
            raise UsageError(
                f"{self.name} is given the labels of {labelled:,} images, but '{dataset.name}' has "
                f"only {len(dataset):,}: set a lower number"
            )

    def on(
        self,
        dataset: Dataset,
        *,
        device: "torch.device",
        periodic: PeriodicRecord = PeriodicRecord(),  # noqa: B008 (it is frozen)
        opening: Mapping[str, Any] = MappingProxyType({}),
        say: Say = silent,
    ) -> "TrainingPlan":
        """Plan the training of this model on a dataset.

        Args:
            dataset: the opened dataset or view to train on.
            device: the device to train on.
            periodic: periodic actions during training.
            opening: how the dataset was opened, for the record; see `DatasetRecord`.
            say: called with the preset's note, if there is one.

        Raises:
            UsageError: options that are inconsistent, or invalid for this dataset.
        """
        if has_vectors(dataset):
            raise UsageError(
                f"'{dataset.name}' has vectors, and models are trained on images. Train an encoder "
                "of vectors yourself, and score it by `disentangle score --encoder FILE:FUNCTION`"
            )
        if not isinstance(dataset, self.kind.needs):
            raise UsageError(f"{self.name} {unmet(self.kind.needs, dataset)}")
        paper = self.paper(dataset.name)
        if paper.note and not set(self.settings) & {"beta", "beta_norm", "variance"}:
            say(f"preset {self.preset}: {paper.note}")
        recipe = combine(Training, self.recipe, preset=paper.training)
        if len(dataset) < 2:
            raise UsageError(f"'{dataset.name}' has one image; training needs at least two")
        self.check_batch_size(recipe["batch_size"].value, dataset)
        settings = self.settings_on(dataset, paper.model)
        self.check_dataset(settings, dataset)
        data = DatasetRecord.of(dataset, **opening)
        record = make_record(self.name, self.kind, settings, recipe, data, device, self.preset)
        return TrainingPlan(self.kind, record.model_copy(update={"midway": periodic}), dataset)


@dataclass(frozen=True)
class TrainingPlan:
    """A fully configured training that has not started.

    Attributes:
        kind: the model's class.
        record: the record of the run at its start.
        dataset: the dataset or view to train on.
    """

    kind: "type[Model]"
    record: RunRecord
    dataset: Dataset

    def build(self) -> "Model":
        """Build the model with its initial weights.

        Raises:
            DisentangleError: the model cannot be built with these settings.
        """
        return build_model(self.kind, self.record)


def make_record(
    name: str,
    kind: "type[Model]",
    settings: Mapping[str, Setting],
    recipe: Mapping[str, Setting],
    dataset: DatasetRecord,
    device: "torch.device",
    preset: str | None = None,
) -> RunRecord:
    """Make the record of a run that is about to start.

    Args:
        name: the model's registered name, or `module:name` of a class.
        kind: its class.
        settings: all hyper-parameters of the model.
        recipe: all training options.
        dataset: the record of the dataset.
        device: the device to train on.
        preset: the name of the preset, if any.
    """
    import torch

    values = {k: setting.value for k, setting in settings.items()}
    entry = None if ":" in name else registry.models.entry(name)
    return RunRecord(
        model=name,
        model_version=kind.version,
        network_version=entry_points.networks.load(values["network"]).version,
        distribution=f"{entry.distribution} {entry.version}" if entry else "none",
        supervision=kind.supervision,
        settings={k: SettingRecord(**vars(s)) for k, s in settings.items()},
        normalised=normalised_forms(kind, values, dataset.image_shape),
        training={k: SettingRecord(**vars(s)) for k, s in recipe.items()},
        preset=preset,
        dataset=dataset,
        device=device_name(device),
        threads=torch.get_num_threads(),
        packages=package_versions(),
        commit=commit(),
        started=now(),
    )


def advice(run: Run, kind: "type[Model]") -> str:
    """Suggest changes of the settings of this run, of a model of a class, against collapse."""
    if kind.collapse_advice:
        return kind.collapse_advice
    weights = [
        f"{name} (now {run.record.knobs[name]:g}, {form} {run.record.normalised[form]:.3g})"
        for form in run.record.normalised
        if (name := form.removesuffix(NORMALISED))
    ]
    ways = [f"a smaller {' or '.join(weights)}"] if weights else []
    if run.record.knobs.get("kl_warmup") == 0:
        ways.append(f"--kl-warmup {max(1, run.record.recipe['steps'] // 10)}")
    ways.append(f"a smaller lr (now {run.record.recipe['lr']:g}; large ones kill ReLUs)")
    ways.append("another likelihood or network")
    return f"if the posterior collapses, try {', or '.join(ways)}"


def check_every(checkpoint_every: int | None) -> None:
    """Raise `UsageError` unless the number of steps between checkpoints is at least 1."""
    if checkpoint_every is not None and checkpoint_every < 1:
        raise UsageError(f"checkpoint_every must be at least 1; got {checkpoint_every}")


def kl_weight(kind: "type[Model]", values: Mapping[str, Any]) -> float | None:
    """The weight of the KL term in nats per image; None for a model without exactly one."""
    weights = [values[name] for name, knob in knobs(kind).items() if knob.normalised]
    return float(weights[0]) if len(weights) == 1 else kind.fixed_kl_weight


def unmet(needs: type[Dataset], dataset: Dataset) -> str:
    """Say that a model needs another class of dataset, and what to do."""
    only = f"but '{dataset.name}' is only {dataset.strength}"
    if not issubclass(needs, Grid):
        return f"needs a dataset that is {needs.strength}, {only}"
    remedy = "choose a dataset that has them all, such as dsprites"
    if isinstance(dataset.whole, Grid):
        only = f"of which this part of '{dataset.name}' lacks some"
        remedy = "hold out whole values of a factor, as by `--hold-out FACTOR=VALUE`"
    return f"needs a grid, an image for every combination of factors, {only}; {remedy}"


def dataset_defaults(kind: "type[Model]", dataset: Dataset) -> dict[str, Any]:
    """The dataset's defaults for model knobs (its likelihood)."""
    return {"likelihood": dataset.likelihood} if "likelihood" in knobs(kind) else {}
