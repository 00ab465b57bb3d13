"""What a training is to be, before it starts: from names and options to resolved_values values."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from disentangle._utils.callbacks import Say
from disentangle._utils.device import device_name
from disentangle._utils.versions import commit, now, package_versions
from disentangle.contracts import entry_points, registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.plugin import knobs
from disentangle.contracts.settings import (
    NORMALISED,
    Setting,
    check,
    normalised_forms,
    option_knobs,
    resolve,
)
from disentangle.errors import UsageError, suggestion
from disentangle.runs.records import DatasetRecord, PeriodicRecord, RunRecord, SettingRecord
from disentangle.runs.run import Run
from disentangle.training.preset import Settings, load_preset

if TYPE_CHECKING:
    import torch

    from disentangle.contracts.model import Model


def make_record(
    name: "str | type[Model]",
    kind: "type[Model]",
    settings: Mapping[str, Setting],
    recipe: Mapping[str, Setting],
    dataset: DatasetRecord,
    device: "torch.device",
    preset: str | None = None,
) -> RunRecord:
    """Return the record of a run that is about to start."""
    import torch

    values = {k: setting.value for k, setting in settings.items()}
    entry = registry.models.entry(name) if isinstance(name, str) else None
    return RunRecord(
        model=name if isinstance(name, str) else entry_points.reference_of(kind),
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


def training_view(
    dataset: Dataset,
    split: str | None,
    factors: Sequence[str] | None,
    hold_out: Sequence[str],
    hold_out_seed: int,
) -> Dataset:
    """Return what is trained on: what the user chose, or else the dataset's own training split."""
    if split is None and not hold_out and "split" not in dataset.view_record:
        split = dataset.train_split if dataset.train_split != "all" else None
    if split is None and factors is None and not hold_out:
        return dataset
    return dataset.view(
        split=split, factors=factors, hold_out=hold_out, hold_out_seed=hold_out_seed
    )


def advice(run: Run) -> str:
    """Return what may keep latents from collapsing, by what this run was trained with."""
    weights = [
        f"{name} (it is {run.record.knobs[name]:g}, {form} {run.record.normalised[form]:.3g})"
        for form in run.record.normalised
        if (name := form.removesuffix(NORMALISED))
    ]
    ways = [f"a smaller {' or '.join(weights)}"] if weights else []
    if run.record.knobs.get("kl_warmup") == 0:
        ways.append(f"--kl-warmup {max(1, run.record.recipe['steps'] // 10)}")
    ways.append(f"a smaller lr (it is {run.record.recipe['lr']:g}: large ones kill ReLUs)")
    ways.append("another likelihood or network")
    return f"if the posterior collapses, try {', or '.join(ways)}"


def check_every(checkpoint_every: int | None) -> None:
    """Refuse a number of steps between checkpoints that is none."""
    if checkpoint_every is not None and checkpoint_every < 1:
        raise UsageError(f"checkpoint_every must be at least 1; got {checkpoint_every}")


def check_options(kind: "type[Model]", options: Mapping[str, Any]) -> None:
    """Refuse options that a model and its trainer do not have, and values that none can take."""
    theirs, mine = split_options(kind, options)
    check(kind, mine, "given")
    check(Training, theirs, "given")


def configure(
    model: "str | type[Model]",
    dataset: Dataset,
    options: Mapping[str, Any],
    *,
    device: "torch.device",
    preset: str | None = None,
    midway: PeriodicRecord = PeriodicRecord(),  # noqa: B008 (it is frozen)
    found: Mapping[str, Any] = MappingProxyType({}),
    say: Say = lambda text: None,
) -> RunRecord:
    """Return the record of a training, which is all that is to be known before it starts.

    Args:
        model: a registered name, or a class.
        dataset: what is trained on, opened.
        options: the model's knobs and the trainer's options, as they were given.
        device: where it is to train.
        preset: the paper whose settings go before the dataset's and the plugins' own.
        midway: what it is to do on its way.
        found: how the dataset was opened, for the record; see `DatasetRecord`.
        say: told what a user of the preset must know.

    Raises:
        UsageError: options that make no sense together, or on this dataset.
    """
    kind = registry.models.load(model) if isinstance(model, str) else model
    theirs, mine = split_options(kind, options)
    if not isinstance(dataset, kind.needs):
        raise UsageError(
            f"{kind.__name__} trains on a dataset that is {kind.needs.strength}; "
            f"'{dataset.name}' is only {dataset.strength}"
        )
    wanted = Settings()
    if preset is not None:
        wanted = load_preset(preset).choose(preset, name_of_model(model), dataset.name)
        if wanted.note and not set(mine) & {"beta", "beta_norm", "variance"}:
            say(f"preset {preset}: {wanted.note}")
    recipe = resolve(Training, theirs, preset=wanted.training)
    if len(dataset) < recipe["batch_size"].value:
        raise UsageError(
            f"a batch of {recipe['batch_size'].value} is more than the {len(dataset)} images of "
            f"'{dataset.name}'; choose a smaller batch size"
        )
    settings = resolve(
        kind,
        mine,
        preset=wanted.model,
        dataset=dataset_defaults(kind, dataset),
        image_shape=dataset.image_shape,
    )
    about = DatasetRecord.of(dataset, **found)
    record = make_record(model, kind, settings, recipe, about, device, preset)
    return record.model_copy(update={"midway": midway})


def split_options(
    kind: "type[Model]", options: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the trainer's options and the model's knobs, as they were given."""
    own, trainers = option_knobs(kind), knobs(Training)
    for name in options:
        if name not in own and name not in trainers:
            known = suggestion(name, [*own, *trainers])
            raise UsageError(f"{entry_points.called(kind)} has no option '{name}'{known}")
    theirs = {k: v for k, v in options.items() if k in trainers}
    return theirs, {k: v for k, v in options.items() if k in own}


def name_of_model(model: "str | type[Model]") -> str:
    """Return the registered name of a model, or `module:name` of a class."""
    return model if isinstance(model, str) else entry_points.reference_of(model)


def resolved_values(model: str, dataset: Dataset, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each knob of a model on a dataset, with what was given."""
    kind = registry.models.load(model)
    defaults = dataset_defaults(kind, dataset)
    found = resolve(kind, given, dataset=defaults, image_shape=dataset.image_shape)
    return {name: setting.value for name, setting in found.items()}


def kl_weight(model: "str | type[Model]", values: Mapping[str, Any]) -> float | None:
    """Return the weight of the KL term in nats per image; None for a model without one."""
    kind = registry.models.load(model) if isinstance(model, str) else model
    weights = [values[name] for name, knob in knobs(kind).items() if knob.normalised]
    return float(weights[0]) if len(weights) == 1 else None


def dataset_defaults(kind: "type[Model]", dataset: Dataset) -> dict[str, Any]:
    """Return what the dataset chooses unless the user does: the likelihood of its images."""
    return {"likelihood": dataset.likelihood} if "likelihood" in knobs(kind) else {}
