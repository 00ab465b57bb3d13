"""A run on disk: its record, its folder, and the trained model as an object."""

import contextlib
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from disentangle import checkpoint, data, registry
from disentangle.dataset import Dataset
from disentangle.errors import DisentangleError
from disentangle.files import write_text
from disentangle.model import Code, Model
from disentangle.record import RunRecord, read_record
from disentangle.seeds import initialising


class Run:
    """A training and what came of it.

    Attributes:
        path: the run's folder.
        record: its `run.json`.
    """

    def __init__(self, path: Path, record: RunRecord, dataset: Dataset | None = None) -> None:
        self.path, self.record = path, record
        if dataset is not None:
            self.dataset = dataset

    def __repr__(self) -> str:
        return f"<Run {self.path}>"

    @property
    def finished(self) -> bool:
        """Say whether training went to its last step."""
        return self.record.finished is not None

    @property
    def checkpoint_path(self) -> Path:
        """Return where the weights are."""
        return self.path / "checkpoint.safetensors"

    @property
    def figures(self) -> Path:
        """Return the folder of the figures."""
        return self.path / "figures"

    @property
    def log(self) -> list[dict[str, Any]]:
        """Return the entries of `log.jsonl`, the first step's first."""
        path = self.path / "log.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def save_record(self, **changes: Any) -> None:
        """Write `run.json`, with these fields changed."""
        self.record = self.record.model_copy(update=changes)
        write_text(self.path / "run.json", self.record.model_dump_json(indent=2) + "\n")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process: training, resuming and scoring exclude one another."""
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise DisentangleError(
                f"{self.path}: another process is training or scoring this run; wait for it"
            ) from None
        try:
            yield
        finally:
            lock.release()

    @cached_property
    def dataset(self) -> Dataset:
        """Return the dataset, opened again and checked to be the one that was trained on."""
        record = self.record.dataset
        dataset = data.load_dataset(record.name, data_dir=record.data_dir, file=record.file)
        if record.view:
            view: dict[str, Any] = dict(record.view)
            dataset = dataset.view(**view)
        if dataset.fingerprint != record.fingerprint:
            raise DisentangleError(
                f"{self.path}: trained on '{record.name}' {record.fingerprint[:10]}, but the one "
                f"found here is {dataset.fingerprint[:10]}: give the original file or data folder"
            )
        return dataset

    def build(self) -> Model:
        """Return the model as it was before its first step."""
        model = model_class(self.record.model)(**self.record.knobs)
        with initialising(self.record.seed):
            model.build(self.record.dataset.image_shape)
        return model

    @cached_property
    def model(self) -> Model:
        """Return the trained model, for evaluation, on the CPU."""
        model = self.build()
        tensors, _ = checkpoint.load(self.checkpoint_path)
        checkpoint.restore_weights(model, checkpoint.unpack(tensors, "model"), self.checkpoint_path)
        if self.record.weights not in (None, checkpoint.digest(model.state_dict())):
            raise DisentangleError(
                f"{self.checkpoint_path}: not the weights that this run ended with; "
                "put them back, or train the run again in another results folder"
            )
        model.requires_grad_(False)
        return model.eval()

    @property
    def device(self) -> torch.device:
        """Return where the model is: on the CPU, unless somebody moved it."""
        return next(self.model.parameters()).device

    def code(self, images: Tensor | ArrayLike) -> Code:
        """Return the code of images [N, C, H, W], uint8 or float in [0, 1], on the device."""
        x = as_input(images, self.record.dataset.image_shape, self.device)
        with torch.inference_mode():
            return self.model.encode(x)

    def encode(self, images: Tensor | ArrayLike) -> Tensor:
        """Return the representation of images [N, C, H, W]: the means of q(z|x), [N, latents]."""
        return self.code(images).mean.cpu()

    def decode(self, z: Tensor | ArrayLike) -> Tensor:
        """Return the expected images of latents [N, latents], float [N, C, H, W] in [0, 1]."""
        latents = torch.as_tensor(np.asarray(z) if not isinstance(z, Tensor) else z)
        latents = latents.to(self.device, torch.float32)
        if latents.ndim != 2 or latents.shape[1] != self.model.latents:
            raise DisentangleError(
                f"latents are [N, {self.model.latents}], not {list(latents.shape)}"
            )
        with torch.inference_mode():
            return self.model.observation.mean(self.model.decode(latents)).cpu()


def as_input(
    images: Tensor | ArrayLike, shape: tuple[int, int, int], device: torch.device | str = "cpu"
) -> Tensor:
    """Return images as a model takes them: float32 [N, C, H, W] in [0, 1]; uint8 is divided."""
    x = images if isinstance(images, Tensor) else torch.as_tensor(np.asarray(images))
    if x.ndim != 4 or tuple(x.shape[1:]) != tuple(shape):
        raise DisentangleError(f"images are [N, {', '.join(map(str, shape))}], not {list(x.shape)}")
    x = x.to(device, memory_format=torch.channels_last)
    if x.dtype == torch.uint8:
        return x.to(torch.float32).div_(255)
    if not x.is_floating_point():
        raise DisentangleError(f"images are uint8, 0 to 255, or float, 0 to 1; not {x.dtype}")
    x = x.to(torch.float32)
    if x.numel() and not (x.min() >= 0 and x.max() <= 1):
        raise DisentangleError("float images lie in [0, 1]; for 0 to 255 pass uint8")
    return x


def model_class(name: str) -> type[Model]:
    """Return the model class of a registered name, or of `module:name`."""
    found: type[Model] = data.by_reference(name) if ":" in name else registry.models.load(name)
    return found


def load_run(path: str | Path) -> Run:
    """Return the run in this folder.

    Raises:
        DisentangleError: no run is there, or its record was damaged or written by another version.
    """
    folder = Path(path).expanduser()
    file = folder / "run.json"
    try:
        text = file.read_text()
    except (FileNotFoundError, NotADirectoryError):
        raise DisentangleError(f"{folder}: no run is there (no run.json)") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DisentangleError(f"{file}: cannot be read: {error}") from error
    return Run(folder, read_record(RunRecord, text, file))


def find_runs(results: str | Path) -> list[Path]:
    """Return the folders below `results` that hold a run, sorted."""
    return sorted(path.parent for path in Path(results).rglob("run.json"))
