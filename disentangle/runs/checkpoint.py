"""Checkpoints: tensors in a safetensors file, with a digest that is verified on loading."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from disentangle._utils.files import atomic
from disentangle._utils.tensors import digest
from disentangle.errors import DisentangleError

FORMAT = "disentangle-1"
REMEDY = "restore an intact one, or delete the run's folder and train again"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The content of a checkpoint file: weights, and the state from which training resumes.

    The checkpoint of a finished run holds only the weights.
    """

    run: str
    """The run's id."""
    step: int
    """The number of completed training steps."""
    seconds: float | None = None
    """Training time so far; None in checkpoints that are kept permanently during training."""
    model: Mapping[str, Tensor]
    """The model's state dict."""
    optimizers: Sequence[Mapping[str, Tensor]] = ()
    """The state of each optimiser; see `optimizer_tensors`."""
    history: Mapping[str, Tensor] = field(default_factory=dict)
    """Term of the loss -> what it added to the loss, by step since the last log entry."""
    values: Mapping[str, Tensor] = field(default_factory=dict)
    """Weighted quantity -> its values without the weight; empty in checkpoints of version 0.1."""

    def save(self, path: Path) -> None:
        """Write the checkpoint atomically.

        Raises:
            DisentangleError: it cannot be written; an earlier checkpoint is kept.
        """
        parts = {"model": self.model, "history": self.history, "values": self.values}
        parts |= {f"optimizer{number}": state for number, state in enumerate(self.optimizers)}
        metadata = {"run": self.run, "step": self.step, "seconds": self.seconds}
        if self.seconds is None:
            del metadata["seconds"]
        write_tensors(path, pack(parts), metadata)

    @classmethod
    def load(cls, path: Path, run: str) -> Self:
        """Read the checkpoint of a run.

        Args:
            path: the file.
            run: the run's id.

        Raises:
            DisentangleError: the file is missing or damaged, or belongs to another run.
        """
        tensors, metadata = read_tensors(path)
        if metadata.get("run") != run:
            raise DisentangleError(
                f"{path}: expected the checkpoint of run {run}, got that of run "
                f"{metadata.get('run')}; {REMEDY}"
            )
        parts = {name.partition("/")[0] for name in tensors}
        numbers = [int(part.removeprefix("optimizer")) for part in parts if "optimizer" in part]
        count = max(numbers, default=-1) + 1
        seconds = metadata.get("seconds")
        return cls(
            run=run,
            step=int(metadata["step"]),
            seconds=None if seconds is None else float(seconds),
            model=unpack(tensors, "model"),
            optimizers=[unpack(tensors, f"optimizer{number}") for number in range(count)],
            history=unpack(tensors, "history"),
            values=unpack(tensors, "values"),
        )


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, object]) -> str:
    """Write tensors and metadata atomically; return the digest of the tensors."""
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    code = digest(stored)
    header = {"format": FORMAT, "digest": code, "metadata": json.dumps(metadata)}
    try:
        with atomic(path) as temporary:
            save_file(stored, temporary, metadata=header)
            temporary.chmod(0o644)  # safetensors creates files that only their owner can read
    except (OSError, SafetensorError) as error:
        if not path.parent.is_dir():
            raise DisentangleError(
                f"{path.parent}: the folder was removed while it was in use, with all its content; "
                "train the run again"
            ) from error
        raise DisentangleError(
            f"{path}: cannot write the checkpoint ({error}). Any earlier checkpoint is kept: free "
            "some disk space, then resume the run."
        ) from error
    return code


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the metadata of a checkpoint.

    Raises:
        DisentangleError: the file is missing or damaged, or is not a checkpoint of this program.
    """
    try:
        with _utf8(path) as known, safe_open(known, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except FileNotFoundError:
        raise DisentangleError(
            f"{path}: no such checkpoint (published runs come without weights)"
        ) from None
    except (SafetensorError, OSError, ValueError) as error:
        raise DisentangleError(f"{path}: the checkpoint is damaged ({error}); {REMEDY}") from error
    if header.get("format") != FORMAT:
        actual = header.get("format", "none")
        raise DisentangleError(f"{path}: expected checkpoint format {FORMAT}, got {actual}")
    if header.get("digest") != digest(tensors):
        raise DisentangleError(
            f"{path}: the checkpoint is damaged (its digest does not match); {REMEDY}"
        )
    metadata: dict[str, Any] = json.loads(header.get("metadata", "{}"))
    return tensors, metadata


def read_progress(path: Path) -> tuple[int, str]:
    """Read the step of a checkpoint and the digest of its tensors, without the tensors.

    Raises:
        DisentangleError: the file is damaged.
    """
    try:
        with _utf8(path) as known, safe_open(known, framework="pt") as file:
            header = file.metadata() or {}
        return int(json.loads(header["metadata"])["step"]), header["digest"]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise DisentangleError(f"{path}: the checkpoint is damaged ({error}); {REMEDY}") from error


@contextmanager
def _utf8(path: Path) -> Iterator[Path]:
    """Yield a path in UTF-8 to a file, as safetensors opens no other: a link, if necessary."""
    if os.fsencode(path).decode(errors="ignore") == str(path):
        yield path
        return
    with TemporaryDirectory() as folder:
        link = Path(folder, "checkpoint")
        link.symlink_to(path.resolve(strict=True))
        yield link


def pack(parts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Flatten several mappings into one, with names `part/name`."""
    return {f"{part}/{k}": v for part, tensors in parts.items() for k, v in tensors.items()}


def unpack(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """The tensors of one part, under their own names."""
    return {k.removeprefix(f"{part}/"): v for k, v in tensors.items() if k.startswith(f"{part}/")}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as tensors named `number of the parameter.name`."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    return {
        f"{number}.{name}": value
        for number, parameter in enumerate(parameters)
        for name, value in optimizer.state[parameter].items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore the state from `optimizer_tensors`, in each parameter's layout and on its device."""
    parameters = [(p, group) for group in optimizer.param_groups for p in group["params"]]
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        parameter, group = parameters[int(number)]
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter).copy_(value)
        elif group.get("fused") or group.get("capturable"):
            value = value.to(parameter.device)  # the step counter, which a kernel reads
        optimizer.state[parameter][name] = value


def restore_weights(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load weights into a module.

    Raises:
        DisentangleError: the names or shapes do not match the module.
    """
    try:
        module.load_state_dict(dict(tensors))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise DisentangleError(f"{path}: the weights do not match the model: {reason}") from error
