"""Import weights trained elsewhere as a run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeAlias

import torch
from torch import Tensor

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.device import choose_device
from disentangle._utils.versions import now
from disentangle.contracts.common_options import Training
from disentangle.contracts.settings import combine
from disentangle.data.file_kind import description, unusable
from disentangle.data.request import DatasetRequest
from disentangle.errors import DisentangleError, UsageError, suggestion
from disentangle.runs.checkpoint import Checkpoint, digest, unpack
from disentangle.runs.layout import RECORD, folder_name
from disentangle.runs.records import DatasetRecord
from disentangle.runs.run import Run, build_model, load_run
from disentangle.scoring.encoders import file_name
from disentangle.training.configuration import ModelRequest, make_record

StateDict: TypeAlias = Mapping[str, Tensor]

ENCODER = ("conv1", "conv2", "conv3", "conv_64", "lin1", "lin2", "mu_logvar_gen")
EXPECTED = (
    "expected a state dict, as written by `torch.save(model.state_dict(), ...)` or safetensors"
)
DECODER = ("lin1", "lin2", "lin3", "convT_64", "convT1", "convT2", "convT3")


def own(state: StateDict, ours: StateDict) -> dict[str, Tensor]:
    """A state dict in this project's layout, or the model's part of a checkpoint."""
    return unpack(state, "model") or dict(state)


def disentangling_vae(state: StateDict, ours: StateDict) -> dict[str, Tensor]:
    """Convert a state dict of github.com/YannDubs/disentangling-vae to this project's names.

    Its layers are those of `burgess`, in the same order. The outputs of its last encoder layer
    alternate between mean and log variance; ours are all means, then all log variances.
    """
    converted: dict[str, Tensor] = {}
    used = set()
    for part, layers in (("encoder", ENCODER), ("decoder", DECODER)):
        theirs = [f"{part}.{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]
        present = [name for name in theirs if name in state]
        names = [name for name in ours if name.startswith(f"{part}.")]
        used.update(present)
        converted.update({a: state[b] for a, b in zip(names, present, strict=False)})
        for name, source in zip(names, present, strict=False):
            if "mu_logvar_gen" in source:
                converted[name] = torch.cat([state[source][0::2], state[source][1::2]])
    return converted | {name: tensor for name, tensor in state.items() if name not in used}


LAYOUTS: dict[str, Callable[[StateDict, StateDict], dict[str, Tensor]]] = {
    "own": own,
    "disentangling-vae": disentangling_vae,
}


def import_weights(
    file: str | Path,
    *,
    model: str,
    dataset: str,
    layout: str = "own",
    results: str | Path = "results",
    data_dir: str | Path | None = None,
    data_file: str | Path | None = None,
    say: Say = silent,
    progress: Progress = silent,
    **options: Any,
) -> Run:
    """Import weights trained elsewhere; return the finished run.

    Nothing in the file is executed: only weights are read, from torch's format or safetensors.

    Args:
        file: a state dict.
        model: a registered name.
        dataset: the dataset it was trained on, by its registered name or a path.
        layout: how the file names its tensors; see `LAYOUTS`.
        results: the folder of all runs.
        data_dir: the folder of prepared datasets.
        data_file: the dataset's original file, if the user has it.
        say: called with lines of text for the user.
        progress: called with the number of prepared images and the total, while the dataset is
            prepared.
        **options: the model's knobs (`network="burgess"`), and the known training options, for the
            record (`steps=345_600`).

    Raises:
        UsageError: an unknown name or option, or an invalid value.
        DisentangleError: the file cannot be read, or its tensors do not match the model.
    """
    path = Path(file).expanduser()
    if layout not in LAYOUTS:
        raise UsageError(f"no layout '{layout}'{suggestion(layout, LAYOUTS)}")
    request = ModelRequest.of(model, options)
    data_request = DatasetRequest.of(dataset, data_dir=data_dir, file=data_file)
    state = read_state(path)
    opened = data_request.open(say, progress)
    record = make_record(
        request.name,
        request.kind,
        request.settings_on(opened),
        combine(Training, request.recipe),
        DatasetRecord.of(opened, **data_request.record_fields),
        choose_device("cpu"),
    ).model_copy(update={"imported": file_name(path)})
    folder = Path(results) / "default" / folder_name(record.dataset.name) / model / record.id
    run = Run(folder, record, opened)
    built = build_model(request.kind, record)
    weights = fit_state(LAYOUTS[layout](state, built.state_dict()), built.state_dict(), path)
    if (folder / RECORD).exists():
        return load_run(folder, dataset=opened)
    folder.mkdir(parents=True, exist_ok=True)
    steps = record.recipe["steps"]
    Checkpoint(run=record.id, step=steps, seconds=0.0, model=weights).save(run.checkpoint_path)
    run.save_record(finished=now(), seconds=0.0, weights=digest(weights))
    return run


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file by name, without executing anything in it."""
    if not path.is_file():
        raise DisentangleError(f"{path}: no such file")
    if problem := unusable(path):
        raise DisentangleError(f"cannot use {path} as weights: {problem}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load

            return load(path.read_bytes())  # it opens no path that is not UTF-8
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a wrong file may raise anything
        raise DisentangleError(f"cannot use {path} as weights: {_problem(path, error)}") from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    items = content.items() if isinstance(content, Mapping) else ()
    tensors = {str(name): value for name, value in items if isinstance(value, Tensor)}
    if not tensors:
        kind = type(content).__name__
        raise DisentangleError(
            f"cannot use {path} as weights: {EXPECTED}, but it holds a {kind} without named tensors"
        )
    return tensors


def _problem(path: Path, error: Exception) -> str:
    """What was expected of a file that torch or safetensors cannot read, and what it is."""
    if isinstance(error, UnpicklingError) and "GLOBAL" in str(error):
        return f"{EXPECTED}, but it holds Python objects, such as a module, which are never loaded"
    kind = description(path)
    if kind == "it is a zip":  # as all files of torch are
        kind = "it is damaged"
    reason = "" if isinstance(error, UnpicklingError) else str(error).strip().partition("\n")[0]
    return f"{EXPECTED}, but " + (kind or f"reading it fails: {type(error).__name__} {reason}")


def fit_state(found: StateDict, ours: StateDict, path: Path) -> dict[str, Tensor]:
    """Check that tensors match the model's; return them in its order and with its dtypes.

    Raises:
        DisentangleError: a tensor is missing or unexpected, has another shape or is not finite.
    """
    missing = [name for name in ours if name not in found]
    extra = [name for name in found if name not in ours]
    other = [
        f"{name} expected {list(ours[name].shape)}, got {list(found[name].shape)}"
        for name in ours
        if name in found and found[name].shape != ours[name].shape
    ]
    problems = [
        f"{title} {', '.join(names[:6])}{' ...' if len(names) > 6 else ''}"
        for title, names in (("missing:", missing), ("unexpected:", extra), ("shapes:", other))
        if names
    ]
    if problems:
        raise DisentangleError(
            f"{path}: the weights do not match this model: {'; '.join(problems)}. Check the "
            "layout, the network and the number of latents."
        )
    weights = {name: found[name].to(tensor.dtype).contiguous() for name, tensor in ours.items()}
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise DisentangleError(f"{path}: some weights are not finite")
    return weights
