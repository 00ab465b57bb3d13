"""A run on disk: its record, its folder, and the trained model as an object."""

import contextlib
import json
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import filelock
from numpy.typing import ArrayLike

from disentangle._utils.files import Stamp, stamp, write_text
from disentangle._utils.seeds import initialising
from disentangle.contracts import entry_points, registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.settings import check_complete
from disentangle.data import loading
from disentangle.errors import Busy, DisentangleError, UsageError
from disentangle.runs.layout import CHECKPOINT, RECORD
from disentangle.runs.records import RunRecord, read_record
from disentangle.runs.score_records import Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from disentangle.contracts.model import Code, Model
    from disentangle.runs.checkpoint import Checkpoint
    from disentangle.runs.score_records import ScoresRead


class Run:
    """A training and what came of it.

    Attributes:
        path: the run's folder.
        record: its `run.json`.
        shows: says which of its scores go into tables and figures; all unless somebody chooses.
    """

    def __init__(
        self,
        path: Path,
        record: RunRecord,
        dataset: Dataset | None = None,
        data_dir: str | Path | None = None,
        file: str | Path | None = None,
    ) -> None:
        self.path, self.record = path, record
        self.shows: Callable[[Score], bool] = lambda score: True
        self.recorded: Stamp | None = None
        self.scores_read: ScoresRead | None = None
        self.data_dir = data_dir or record.dataset.data_dir
        self.file = file or record.dataset.file
        if dataset is not None:
            self.dataset = dataset

    def __repr__(self) -> str:
        return f"<Run {self.path}>"

    @property
    def finished(self) -> bool:
        """Say whether training went to its last step."""
        return self.record.finished is not None

    @property
    def state(self) -> Literal["finished", "failed", "unfinished"]:
        """Return how far training is, or that it came to no end."""
        if self.finished:
            return "finished"
        return "failed" if self.record.failed else "unfinished"

    @property
    def checkpoint_path(self) -> Path:
        """Return where the weights are."""
        return self.path / CHECKPOINT

    def kept_path(self, step: int) -> Path:
        """Return where the weights after a step are, if they were kept."""
        return self.path / "history" / f"step-{step:09d}.safetensors"

    @property
    def kept(self) -> list[int]:
        """Return the steps whose weights were kept, the first first."""
        found = (self.path / "history").glob("step-*.safetensors")
        steps = (path.stem.removeprefix("step-") for path in found)
        return sorted(int(step) for step in steps if step.isdecimal())

    @property
    def figures(self) -> Path:
        """Return the folder of the figures."""
        return self.path / "figures"

    @property
    def log(self) -> list[dict[str, Any]]:
        """Return the entries of `log.jsonl`, the first step's first; a half line is none."""
        path = self.path / "log.jsonl"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        entries = []
        for line in text.splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                entry = json.loads(line)
                if isinstance(entry, dict) and isinstance(entry.get("step"), int):
                    entries.append(entry)
        return entries

    def save_record(self, **changes: Any) -> None:
        """Write `run.json`, with these fields changed."""
        self.record = self.record.model_copy(update=changes)
        write_text(self.path / RECORD, self.record.model_dump_json(indent=2) + "\n")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process: training, resuming and scoring exclude one another."""
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0.5, poll_interval=0.05)  # others only look whether it is held
        except filelock.Timeout:
            raise Busy(
                f"{self.path}: another process is training or scoring this run; wait for it"
            ) from None
        except OSError as error:
            raise DisentangleError(
                f"{self.path}: cannot write there ({error.strerror or error})"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def busy(self) -> bool:
        """Say whether another process is training or scoring this run."""
        try:
            with self.lock():
                return False
        except Busy:
            return True

    @cached_property
    def whole(self) -> Dataset:
        """Return the dataset without the view that was trained on, checked to be the same."""
        if "dataset" in self.__dict__:
            return self.dataset.whole
        record = self.record.dataset
        if ":" in record.name:
            raise DisentangleError(
                f"{self.path}: trained on a dataset that was given as an object of {record.name}: "
                "make it again, and load_run(path, dataset=...)"
            )
        dataset = self._open()
        if dataset.fingerprint != record.fingerprint:
            raise DisentangleError(
                f"{self.path}: trained on '{record.name}' {record.fingerprint[:10]}, but the one "
                f"found here is {dataset.fingerprint[:10]}: give the original file or data folder"
            )
        return dataset

    def _open(self) -> Dataset:
        """Open the dataset: what is prepared of it, or else from the file that it was made of."""
        record = self.record.dataset
        options: dict[str, Any] = {
            "data_dir": self.data_dir,
            "image_size": record.image_size,
            "channels": record.channels,
        }
        if self.file and self.file == record.file and not loading.is_path(record.name):
            with contextlib.suppress(DisentangleError):
                dataset = loading.load_dataset(record.name, **options)
                if dataset.fingerprint == record.fingerprint:
                    return dataset
        return loading.load_dataset(record.name, file=self.file, **options)

    @cached_property
    def dataset(self) -> Dataset:
        """Return what was trained on: the dataset, opened again, or the view of it."""
        view: dict[str, Any] = dict(self.record.dataset.view)
        return self.whole.view(**view) if view else self.whole

    def build(self) -> "Model":
        """Return the model as it was before its first step.

        Raises:
            DisentangleError: the plugin is another version, or cannot be built like this.
        """
        try:
            kind = model_class(self.record.model)
        except UsageError as error:
            raise DisentangleError(
                f"{self.path}: {error}; it was trained with that of {self.record.distribution}: "
                "install it"
            ) from error
        versions = (kind.version, entry_points.networks.load(self.record.knobs["network"]).version)
        recorded = (self.record.model_version, self.record.network_version)
        if versions != recorded:
            raise DisentangleError(
                f"{self.path}: made by versions {recorded} of '{self.record.model}' and its "
                f"network ({self.record.distribution}); versions {versions} are installed"
            )
        check_complete(kind, self.record.knobs, self.path)
        return build_model(kind, self.record)

    def load_checkpoint(self) -> "Checkpoint":
        """Read this run's checkpoint.

        Raises:
            DisentangleError: it is missing, damaged, or another run's.
        """
        from disentangle.runs.checkpoint import Checkpoint

        return Checkpoint.load(self.checkpoint_path, self.record.id)

    def _restored(self, path: Path) -> "Model":
        from disentangle.runs.checkpoint import Checkpoint, restore_weights

        model = self.build()
        restore_weights(model, Checkpoint.load(path, self.record.id).model, path)
        model.requires_grad_(False)
        return model.eval()

    @cached_property
    def model(self) -> "Model":
        """Return the trained model, for evaluation, on the CPU."""
        from disentangle.runs.checkpoint import digest

        model = self._restored(self.checkpoint_path)
        if self.record.weights not in (None, digest(model.state_dict())):
            raise DisentangleError(
                f"{self.checkpoint_path}: not the weights that this run ended with; "
                "put them back, or train the run again in another results folder"
            )
        return model

    def model_at(self, step: int) -> "Model":
        """Return the model as it was after a step that was kept, for evaluation, on the CPU.

        Raises:
            DisentangleError: that step was not kept, or its file is damaged or another run's.
        """
        if step not in self.kept:
            known = ", ".join(map(str, self.kept)) or "none"
            raise DisentangleError(f"{self.path}: step {step} was not kept; known: {known}")
        return self._restored(self.kept_path(step))

    @property
    def device(self) -> "torch.device":
        """Return where the model is: on the CPU, unless somebody moved it."""
        return next(self.model.parameters()).device

    def code(self, images: "Tensor | ArrayLike") -> "Code":
        """Return the code of images [N, C, H, W], uint8 or float in [0, 1], on the device."""
        import torch

        from disentangle._utils.tensors import as_input

        x = as_input(images, self.record.dataset.image_shape, self.device)
        with torch.no_grad():
            return self.model.encode(x)

    def encode(self, images: "Tensor | ArrayLike") -> "Tensor":
        """Return the representation of images [N, C, H, W]: the means of q(z|x), [N, latents]."""
        return self.code(images).mean.cpu()

    def decode(self, z: "Tensor | ArrayLike") -> "Tensor":
        """Return the expected images of latents [N, latents], float [N, C, H, W] in [0, 1]."""
        import torch

        from disentangle._utils.tensors import as_tensor

        latents = as_tensor(z)
        latents = latents.to(self.device, torch.float32)
        if latents.ndim != 2 or latents.shape[1] != self.model.latents:
            raise DisentangleError(
                f"latents are [N, {self.model.latents}], not {list(latents.shape)}"
            )
        with torch.no_grad():
            return self.model.observation.mean(self.model.decode(latents)).cpu()


def build_model(kind: "type[Model]", record: RunRecord) -> "Model":
    """Make the model of a record, with the weights that its seed gives.

    Args:
        kind: the model's class.
        record: the run's, whose hyper-parameters the class takes.

    Raises:
        DisentangleError: it cannot be built with these settings.
    """
    try:
        model = kind(**record.knobs)
        with initialising(record.seed):
            model.build(record.dataset.image_shape)
    except (RuntimeError, TypeError, ValueError, OverflowError, MemoryError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        plugin = entry_points.who("model", record.model)
        network = entry_points.who("network", record.knobs["network"])
        raise DisentangleError(
            f"{plugin} cannot be built with {network} and {record.summary}: {reason}"
        ) from error
    return model.float()


def model_class(name: str) -> "type[Model]":
    """Return the model class of a registered name, or of `module:name`."""
    found: type[Model] = (
        entry_points.by_reference(name) if ":" in name else registry.models.load(name)
    )
    return found


def load_run(
    path: str | Path,
    *,
    dataset: Dataset | None = None,
    data_dir: str | Path | None = None,
    file: str | Path | None = None,
) -> Run:
    """Return the run in this folder.

    Args:
        path: the folder.
        dataset: the dataset, where it is open already; else it is opened when first used.
        data_dir: where its prepared files are now, if not where they were.
        file: where the dataset's own file is now, if not where it was.

    Raises:
        DisentangleError: no run is there, or its record was damaged or written by another version.
    """
    folder = Path(path).expanduser()
    recorded = None
    with contextlib.suppress(OSError):  # of which reading it says more
        recorded = stamp(folder / RECORD)  # first, so that a later change shows
    try:
        record = read_record(RunRecord, folder / RECORD)
    except FileNotFoundError:
        raise DisentangleError(f"{folder}: no run is there (no run.json)") from None
    check_complete(Training, record.recipe, folder)
    run = Run(folder, record, dataset, data_dir, file)
    run.recorded = recorded
    return run
