"""A run on disk: its folder, its record, and its trained model."""

import contextlib
import json
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from numpy.typing import ArrayLike

from disentangle._utils.callbacks import Say, silent
from disentangle._utils.files import Stamp, stamp, write_text
from disentangle._utils.html import never_failing
from disentangle._utils.seeds import initialising
from disentangle.contracts import entry_points, registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.settings import check_complete
from disentangle.data import loading
from disentangle.data.names import is_path, reference_of
from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.layout import CHECKPOINT, RECORD
from disentangle.runs.records import RunRecord, read_record
from disentangle.runs.scored_folder import ScoredFolder

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from disentangle.contracts.model import Code, Model
    from disentangle.runs.checkpoint import Checkpoint
    from disentangle.runs.log_tail import LogEnd
    from disentangle.runs.modules import DecoderModule, EncoderModule


class Run(ScoredFolder):
    """One training and its folder.

    Attributes:
        record: the content of its `run.json`.
        say: called with a line of text before its dataset is prepared again.
    """

    record_name = RECORD
    activity = "training or scoring this run"

    def __init__(
        self,
        path: Path,
        record: RunRecord,
        dataset: Dataset | None = None,
        data_dir: str | Path | None = None,
        file: str | Path | None = None,
    ) -> None:
        super().__init__(path)
        self.record = record
        self.recorded: Stamp | None = None
        self.log_end: LogEnd | None = None
        self.say: Say = silent
        self.data_dir = data_dir or record.dataset.data_dir
        self.file = file or record.dataset.file
        if dataset is not None:
            self.dataset = dataset

    @property
    def scored_weights(self) -> str | None:
        """The digest of the final weights; None if training has not finished."""
        return self.record.weights if self.finished else None

    @never_failing
    def _repr_html_(self) -> str:
        """The run in a notebook: its state, settings and scores, and its traversals if drawn."""
        from disentangle.runs.overview import overview

        return overview(self).html(self.figures)

    @property
    def finished(self) -> bool:
        """True if training reached its last step."""
        return self.record.finished is not None

    @property
    def state(self) -> Literal["finished", "failed", "unfinished"]:
        """The state of training."""
        if self.finished:
            return "finished"
        return "failed" if self.record.failed else "unfinished"

    def check_finished(self) -> Self:
        """Return the run.

        Raises:
            DisentangleError: training has not finished.
        """
        if not self.finished:
            raise DisentangleError(
                f"{self.path}: training has not finished. "
                f"Run `disentangle resume {self.path}` first."
            )
        return self

    @property
    def checkpoint_path(self) -> Path:
        """The file of the weights."""
        return self.path / CHECKPOINT

    def kept_path(self, step: int) -> Path:
        """The file of the weights after a step, if they were kept."""
        return self.path / "history" / f"step-{step:09d}.safetensors"

    @property
    def kept(self) -> list[int]:
        """The steps whose weights were kept, in ascending order."""
        files = (self.path / "history").glob("step-*.safetensors")
        steps = (path.stem.removeprefix("step-") for path in files)
        return sorted(int(step) for step in steps if step.isdecimal())

    @property
    def figures(self) -> Path:
        """The folder of the figures."""
        return self.path / "figures"

    @property
    def log(self) -> list[dict[str, Any]]:
        """The entries of `log.jsonl` in order of steps; an incomplete line is skipped.

        An entry holds the means since the entry before: `loss`; `terms`, each times its weight, so
        that they sum to the loss (an opponent's terms are beside them); and `values`, the same
        quantities without weights. `kl`, `active` and `spread` are measured after the step: the KL
        of each latent, the number of active latents and the largest variance of the means.
        Entries of version 0.1 have no `loss` and no `values`.
        """
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

    @cached_property
    def whole(self) -> Dataset:
        """The whole dataset, even if the run was trained on a view; its fingerprint is checked."""
        if "dataset" in self.__dict__:
            return self.dataset.whole
        record = self.record.dataset
        if ":" in record.name and reference_of(record.name) is None:
            raise DisentangleError(
                f"{self.path}: trained on a dataset object of the class {record.name}. Create it "
                "again, then call `load_run(path, dataset=...)`. If this is no class but a "
                "reference, install the package that opens it."
            )
        dataset = self._open()
        if dataset.fingerprint != record.fingerprint:
            remedy = "give the original file or data folder"
            if is_path(record.name):
                remedy += (
                    ". If the images and labels have not changed, an earlier version of "
                    "disentangle read them differently: train the run again"
                )
            raise DisentangleError(
                f"{self.path}: expected '{record.name}' with fingerprint {record.fingerprint[:10]},"
                f" got {dataset.fingerprint[:10]}: {remedy}"
            )
        return dataset

    def _open(self) -> Dataset:
        """Open the prepared dataset, else prepare it from its original file.

        Recorded paths that are not there, as on another machine, count as not given.
        """
        record = self.record.dataset
        data_dir = self.data_dir
        if data_dir and data_dir == record.data_dir and not os.path.isdir(data_dir):
            self.say(f"{data_dir} is not there: the usual folder of datasets is used")
            data_dir = None
        options: dict[str, Any] = {
            "data_dir": data_dir,
            "image_size": record.image_size,
            "channels": record.channels,
        }
        if self.file and self.file == record.file and not is_path(record.name):
            with contextlib.suppress(DisentangleError):
                dataset = loading.load_dataset(record.name, say=self.say, **options)
                if dataset.fingerprint == record.fingerprint:
                    return dataset
        if self.file and is_path(record.name) and not os.path.exists(self.file):
            raise DisentangleError(
                f"{self.path}: trained on the images in {self.file}, which were not found. If they "
                "have moved, give their path with `--file` (`load_run(..., file=...)`)"
            )
        file = self.file
        if file and file == record.file and not os.path.exists(file):
            file = None
        return loading.load_dataset(record.name, file=file, say=self.say, **options)

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset or view that was trained on, reopened."""
        view: dict[str, Any] = dict(self.record.dataset.view)
        return self.whole.view(**view) if view else self.whole

    def build(self) -> "Model":
        """Build the model with its initial weights.

        Raises:
            DisentangleError: the installed plugin has another version, or the model cannot be built
                with these settings.
        """
        try:
            kind = model_class(self.record.model)
        except UsageError as error:
            raise DisentangleError(
                f"{self.path}: {error}. The run was trained with the plugin of "
                f"{self.record.distribution}. Install this package."
            ) from error
        versions = (kind.version, entry_points.networks.load(self.record.knobs["network"]).version)
        recorded = (self.record.model_version, self.record.network_version)
        if versions != recorded:
            raise DisentangleError(
                f"{self.path}: expected versions {recorded} of '{self.record.model}' and its "
                f"network, got {versions}. Install {self.record.distribution}."
            )
        check_complete(kind, self.record.knobs, self.path)
        return build_model(kind, self.record)

    def load_checkpoint(self) -> "Checkpoint":
        """Read this run's checkpoint.

        Raises:
            DisentangleError: it is missing or damaged, or belongs to another run.
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
        """The trained model in evaluation mode, on the CPU."""
        from disentangle._utils.tensors import digest

        model = self._restored(self.checkpoint_path)
        if self.record.weights not in (None, digest(model.state_dict())):
            raise DisentangleError(
                f"{self.checkpoint_path}: these are not the final weights of this run; "
                "restore the final weights, or train the run again in another results folder"
            )
        return model

    def model_at(self, step: int) -> "Model":
        """Load the model after a step that was kept, in evaluation mode, on the CPU.

        Raises:
            DisentangleError: the step was not kept, or its file is damaged or belongs to another
                run.
        """
        if step not in self.kept:
            steps = ", ".join(map(str, self.kept)) or "none"
            raise DisentangleError(f"{self.path}: step {step} was not kept; kept steps: {steps}")
        return self._restored(self.kept_path(step))

    @cached_property
    def encoder(self) -> "EncoderModule":
        """The trained encoder as a plain module, a copy on the CPU with frozen weights.

        It maps images, float32 [N, C, H, W] in [0, 1], to a named tuple: `mean` [N, D], and
        `scale`, the standard deviations of q(z|x), or None for a model without a posterior.
        """
        from disentangle.runs.modules import EncoderModule

        return EncoderModule(self.model, self.record.dataset.image_shape).eval()

    @cached_property
    def decoder(self) -> "DecoderModule":
        """The trained decoder as a plain module, a copy on the CPU with frozen weights.

        It maps latents, float32 [N, D], to the expected images, float32 [N, C, H, W] in [0, 1].
        """
        from disentangle.runs.modules import DecoderModule

        return DecoderModule(self.model).eval()

    @property
    def device(self) -> "torch.device":
        """The model's device: the CPU, unless it was moved."""
        return next(self.model.parameters()).device

    def code(self, images: "Tensor | ArrayLike") -> "Code":
        """The code of images [N, C, H, W], uint8 or float in [0, 1], on the device."""
        import torch

        from disentangle._utils.tensors import as_input

        x = as_input(images, self.record.dataset.image_shape, self.device)
        with torch.no_grad():
            return self.model.encode(x)

    def encode(self, images: "Tensor | ArrayLike") -> "Tensor":
        """The representation of images [N, C, H, W]: the means of q(z|x), [N, latents]."""
        return self.code(images).mean.cpu()

    def decode(self, z: "Tensor | ArrayLike") -> "Tensor":
        """The expected images of latents [N, latents], float [N, C, H, W] in [0, 1]."""
        import torch

        from disentangle._utils.tensors import as_tensor

        latents = as_tensor(z)
        latents = latents.to(self.device, torch.float32)
        if latents.ndim != 2 or latents.shape[1] != self.model.latents:
            raise DisentangleError(
                f"latents must have shape [N, {self.model.latents}], got {list(latents.shape)}"
            )
        with torch.no_grad():
            return self.model.observation.mean(self.model.decode(latents)).cpu()


def build_model(kind: "type[Model]", record: RunRecord) -> "Model":
    """Build the model of a record, with weights initialised by its seed.

    Args:
        kind: the model's class.
        record: the run's record with the model's hyper-parameters.

    Raises:
        DisentangleError: the model cannot be built with these settings.
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
    """Load the model class with a registered name or `module:name`."""
    kind: type[Model] = (
        entry_points.by_reference(name) if ":" in name else registry.models.load(name)
    )
    return kind


def read_run(
    path: str | Path,
    *,
    dataset: Dataset | None = None,
    data_dir: str | Path | None = None,
    file: str | Path | None = None,
) -> Run:
    """Read the run in a folder; `load_run` takes a name, too.

    Args:
        path: the folder.
        dataset: the dataset, if it is already open [default: opened when first used].
        data_dir: the folder of its prepared files, if they have moved.
        file: the dataset's original file, if it has moved.

    Raises:
        DisentangleError: the folder holds no run, or its record is damaged or was written by
            another version.
    """
    folder = Path(path).expanduser()
    recorded = None
    with contextlib.suppress(OSError):  # reading the record reports it better
        recorded = stamp(folder / RECORD)  # before reading, so that a later change is noticed
    try:
        record = read_record(RunRecord, folder / RECORD)
    except FileNotFoundError:
        raise DisentangleError(f"{folder}: not a run (it has no run.json)") from None
    check_complete(Training, record.recipe, folder)
    run = Run(folder, record, dataset, data_dir, file)
    run.recorded = recorded
    return run
