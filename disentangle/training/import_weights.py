"""Import weights trained elsewhere as a run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.device import choose_device
from disentangle._utils.tensors import as_input, digest
from disentangle._utils.versions import now
from disentangle.contracts.common_options import Training
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.model import Model, Posterior
from disentangle.contracts.settings import combine
from disentangle.data.request import DatasetRequest
from disentangle.data.weight_files import read_state
from disentangle.errors import DisentangleError, UsageError, suggestion
from disentangle.runs.checkpoint import Checkpoint, unpack
from disentangle.runs.layout import RECORD, run_folder
from disentangle.runs.records import DatasetRecord, parts_of
from disentangle.runs.run import Run, build_model, read_run
from disentangle.scoring.encoders import file_name
from disentangle.training.configuration import ModelRequest, make_record

StateDict: TypeAlias = Mapping[str, Tensor]

ENCODER = ("conv1", "conv2", "conv3", "conv_64", "lin1", "lin2", "mu_logvar_gen")
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

    Nothing in the file is executed: only weights are read, from torch's format or safetensors. The
    file may lack tensors that only training needs, such as an opponent's: the run then has their
    initial values, its record names them, and it cannot be resumed.

    Args:
        file: a state dict.
        model: a registered name.
        dataset: the dataset it was trained on, by its registered name or a path.
        layout: how the file names its tensors; see `LAYOUTS`.
        results: the folder of all runs.
        data_dir: the folder of prepared datasets.
        data_file: the dataset's original file, if the user has it.
        say: called with lines of text for the user, such as what the file lacks.
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
    folder = run_folder(Path(results).expanduser(), "default", record)
    run = Run(folder, record, opened)
    built = build_model(request.kind, record)
    weights, absent = fit_state(LAYOUTS[layout](state, built.state_dict()), built, opened, path)
    if absent:
        say(
            f"{path.name} has no {parts_of(absent)}: encoding and decoding need no more, but the "
            "run cannot be trained further"
        )
    if (folder / RECORD).exists():
        return read_run(folder, dataset=opened)
    folder.mkdir(parents=True, exist_ok=True)
    steps = record.recipe["steps"]
    Checkpoint(run=record.id, step=steps, seconds=0.0, model=weights).save(run.checkpoint_path)
    run.save_record(finished=now(), seconds=0.0, weights=digest(weights), absent=absent)
    return run


def fit_state(
    found: StateDict, model: Model, dataset: Dataset, path: Path
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Check that tensors match the model's.

    Returns:
        The model's tensors in its order and with its dtypes, and the names of those that the file
        lacks, which have their initial values.

    Raises:
        DisentangleError: a tensor is unexpected, has another shape or is not finite, or one is
            missing that codes or images depend on.
    """
    ours = model.state_dict()
    missing = [name for name in ours if name not in found]
    extra = [name for name in found if name not in ours]
    other = [
        f"{name} expected {list(ours[name].shape)}, got {list(found[name].shape)}"
        for name in ours
        if name in found and found[name].shape != ours[name].shape
    ]
    absent: tuple[str, ...] = ()
    if missing and not (extra or other):
        model.load_state_dict({**ours, **found})
        read = tensors_read(model, missing, dataset)
        absent = tuple(name for name in missing if name not in read)
        missing = [name for name in missing if name in read]
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
    weights = {
        name: found.get(name, tensor).to(tensor.dtype).contiguous() for name, tensor in ours.items()
    }
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise DisentangleError(f"{path}: some weights are not finite")
    return weights, absent


def tensors_read(model: Model, names: list[str], dataset: Dataset) -> set[str]:
    """The tensors that codes, decoded images or their likelihood depend on.

    These have a gradient in one of them, or change one of them if they are changed.
    """
    x = as_input(dataset.images([0, len(dataset) - 1]), dataset.image_shape)
    model.eval()
    before = outputs(model, x)
    parameters = {n: p for n, p in model.named_parameters() if n in names and p.requires_grad}
    total = torch.stack([one.sum() for one in before]).sum()
    gradients = (
        torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
        if parameters
        else ()
    )
    read = {n for n, g in zip(parameters, gradients, strict=True) if g is not None}
    state = model.state_dict()
    return read | {n for n in names if n not in read and matters(model, x, state[n], before)}


def matters(model: Model, x: Tensor, tensor: Tensor, before: list[Tensor]) -> bool:
    """True if another value of one of the model's tensors changes its outputs, or prevents them."""
    kept = tensor.clone()
    tensor.copy_(changed(kept))
    try:
        return not all(map(torch.equal, before, outputs(model, x)))
    except Exception:  # an index out of range, for example: the model reads it
        return True
    finally:
        tensor.copy_(kept)


def changed(tensor: Tensor) -> Tensor:
    """A tensor of which every element differs, each real number in a ratio of its own."""
    if tensor.dtype == torch.bool:
        return ~tensor
    if not tensor.is_floating_point():
        return tensor + 1
    steps = torch.linspace(1, 2, tensor.numel(), dtype=tensor.dtype).reshape(tensor.shape)
    return tensor + (1 + tensor.abs()) * steps


def outputs(model: Model, x: Tensor) -> list[Tensor]:
    """The code of images, the decoded images and their likelihood."""
    code = model.encode(x)
    spread = [code.log_variance] if isinstance(code, Posterior) else []
    return [code.mean, *spread, model.decode(code.mean), model.reconstruction(x, code.mean)]
