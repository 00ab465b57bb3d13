"""Weights that were trained elsewhere, taken up as a run like any other."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from disentangle._utils.callbacks import Progress, Say
from disentangle._utils.device import choose_device
from disentangle._utils.versions import now
from disentangle.contracts.common_options import Training
from disentangle.contracts.settings import combine
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
DECODER = ("lin1", "lin2", "lin3", "convT_64", "convT1", "convT2", "convT3")


def own(state: StateDict, ours: StateDict) -> dict[str, Tensor]:
    """Return a state dict of this project's own, or the model's part of a checkpoint."""
    return unpack(state, "model") or dict(state)


def disentangling_vae(state: StateDict, ours: StateDict) -> dict[str, Tensor]:
    """Return a state dict of github.com/YannDubs/disentangling-vae under this project's names.

    Its layers are those of `burgess`, in the same order. Its last one in the encoder gives mean and
    log variance by turns, ours first all means.
    """
    found: dict[str, Tensor] = {}
    used = set()
    for part, layers in (("encoder", ENCODER), ("decoder", DECODER)):
        theirs = [f"{part}.{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]
        present = [name for name in theirs if name in state]
        names = [name for name in ours if name.startswith(f"{part}.")]
        used.update(present)
        found.update({a: state[b] for a, b in zip(names, present, strict=False)})
        for name, source in zip(names, present, strict=False):
            if "mu_logvar_gen" in source:
                found[name] = torch.cat([state[source][0::2], state[source][1::2]])
    return found | {name: tensor for name, tensor in state.items() if name not in used}


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
    say: Say = lambda text: None,
    progress: Progress = lambda done, total: None,
    **options: Any,
) -> Run:
    """Take up weights that were trained elsewhere; return the run, finished.

    Nothing in the file is executed: weights only, from torch's format or safetensors.

    Args:
        file: a state dict.
        model: a registered name.
        dataset: what it was trained on, by its registered name or a path.
        layout: how the file names its tensors; see `LAYOUTS`.
        results: the folder of all runs.
        data_dir: where datasets keep what they prepare.
        data_file: the dataset's own file, where the user has it.
        say: called with lines of text for the user.
        progress: called with the images done, and all, while the dataset is prepared.
        **options: the model's knobs (`network="burgess"`), and of the trainer's those that are
            known, for the record (`steps=345_600`).

    Raises:
        UsageError: a name, an option or a value that makes no sense.
        DisentangleError: the file cannot be read, or its tensors are not the model's.
    """
    path = Path(file).expanduser()
    if layout not in LAYOUTS:
        raise UsageError(f"no layout '{layout}'{suggestion(layout, LAYOUTS)}")
    request = ModelRequest.of(model, options)
    asked = DatasetRequest.of(dataset, data_dir=data_dir, file=data_file)
    state = read_state(path)
    opened = asked.open(say, progress)
    record = make_record(
        request.name,
        request.kind,
        request.settings_on(opened),
        combine(Training, request.recipe),
        DatasetRecord.of(opened, **asked.record_fields),
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
    """Return the tensors of a file, by name, without running anything in it."""
    if not path.is_file():
        raise DisentangleError(f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
        for key in ("state_dict", "model_state_dict", "model"):
            found = found[key] if isinstance(found.get(key), Mapping) else found
        tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    except Exception as error:  # a wrong file fails in any way
        reason = str(error).strip().partition("\n")[0]
        raise DisentangleError(
            f"{path}: not a state dict of tensors alone: {type(error).__name__}: {reason}"
        ) from error
    if not tensors:
        raise DisentangleError(f"{path}: there are no tensors in it")
    return tensors


def fit_state(found: StateDict, ours: StateDict, path: Path) -> dict[str, Tensor]:
    """Return the tensors in our order and type, or say which do not match.

    Raises:
        DisentangleError: a tensor is missing, left over, of another shape or not finite.
    """
    missing = [name for name in ours if name not in found]
    extra = [name for name in found if name not in ours]
    other = [
        f"{name} {list(found[name].shape)} for {list(ours[name].shape)}"
        for name in ours
        if name in found and found[name].shape != ours[name].shape
    ]
    problems = [
        f"{title} {', '.join(names[:6])}{' ...' if len(names) > 6 else ''}"
        for title, names in (("missing:", missing), ("not known:", extra), ("shapes:", other))
        if names
    ]
    if problems:
        raise DisentangleError(
            f"{path}: not the weights of this model: {'; '.join(problems)}; is it another layout, "
            "network or number of latents?"
        )
    weights = {name: found[name].to(tensor.dtype).contiguous() for name, tensor in ours.items()}
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise DisentangleError(f"{path}: some weights are not finite")
    return weights
