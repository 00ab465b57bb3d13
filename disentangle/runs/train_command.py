"""The commands that train a run again, and that import its exported weights."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from disentangle.contracts.published_splits import splits_of
from disentangle.data.names import is_path, reference_of, with_path
from disentangle.runs.records import DatasetRecord, PeriodicRecord, RunRecord


def train_command(record: RunRecord) -> str | None:
    """The command that trains a run again, from any folder.

    It names what was given, and the preset. The rest follows from these, from the dataset and from
    the versions of the plugins.

    Returns:
        None for imported weights, and for a model or dataset that was passed as an object.
    """
    data = record.dataset
    name = name_of(record)
    if record.imported or name is None:
        return None
    words = ["disentangle", "train", record.model, name]
    given = {
        name: setting.value
        for name, setting in {**record.settings, **record.training}.items()
        if setting.origin == "given" or name in ("steps", "seed")
    }
    own = data.file is not None and is_path(data.name)
    opening = {**data_options(data), "file": None if own else data.file}
    for name, value in {"preset": record.preset, **given, **opening}.items():
        words += option(name, value)
    return shlex.join([*words, *periodic_options(record.midway)])


def import_command(record: RunRecord, file: str) -> str | None:
    """The command that makes a run of a file with the weights of this one.

    Returns:
        None for a model or dataset that was passed as an object.
    """
    name = name_of(record)
    if name is None:
        return None
    given = {k: v for k, v in record.non_default_knobs.items() if k != "network"}
    given |= {key: record.recipe[key] for key in ("steps", "seed")}
    words = ["disentangle", "import", file, *option("model", record.model)]
    words += option("dataset", name)
    words += option("network", record.knobs["network"])
    words += option("set", tuple(f"{key}={value}" for key, value in given.items()))
    return shlex.join(words)


def name_of(record: RunRecord) -> str | None:
    """The dataset's name for a command; None if it or the model was passed as an object."""
    data = record.dataset
    by_object = ":" in data.name and reference_of(data.name) is None
    if ":" in record.model or by_object:
        return None
    own = data.file is not None and is_path(data.name)
    return with_path(data.name, str(data.file)) if own else data.name


def data_options(data: DatasetRecord) -> dict[str, Any]:
    """The options that open a dataset and choose the part to train on."""
    view: Mapping[str, Any] = data.view
    held_out, split = view.get("hold_out"), view.get("split")
    name = view.get("hold_out_name", "")
    published = splits_of(data.name).get(name)
    if published and published.hold_out == held_out:  # the file still says what was held out
        split, held_out = name if split == "train" else f"{name}:{split}", None
    return {
        "split": None if held_out and split == "train" else split,
        "factors": ",".join(view["factors"]) if "factors" in view else None,
        "hold_out": held_out,
        "hold_out_seed": view.get("hold_out_seed"),
        "correlate": view.get("correlate"),
        "image_size": data.image_size,
        "channels": data.channels,
        "data_dir": data.data_dir,
    }


def periodic_options(record: PeriodicRecord) -> Iterator[str]:
    """The options of the periodic actions during training."""
    yield from option("keep", record.keep_every and f"every:{record.keep_every}")
    yield from option("score_every", record.score_every)
    if record.named:
        yield from option("metric", record.metrics)


def option(name: str, value: Any) -> Iterator[str]:
    """An option as words: none for None, one for a flag, repeated for several values."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        yield f"--{flag}" if value else f"--no-{flag}"
    elif isinstance(value, tuple):
        for item in value:
            yield from option(name, item)
    elif value is not None:
        yield from (f"--{flag}", str(value))
