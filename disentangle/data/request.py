"""A dataset request: the dataset's name, how to open it, and the part to train on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle.contracts import registry
from disentangle.contracts.correlation_settings import with_settings
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.hold_out import parts_line
from disentangle.contracts.published_splits import check_split
from disentangle.data.loading import load_dataset
from disentangle.data.names import path_of, true_name


@dataclass(frozen=True, kw_only=True)
class DatasetRequest:
    """A dataset as requested by a user; the fields are arguments of `train`.

    Created once from the arguments of a function or command, or from a study file.
    """

    name: str
    data_dir: Path | None = None
    file: Path | None = None
    download: bool = False
    image_size: int | None = None
    channels: int | None = None
    split: str | None = None
    factors: tuple[str, ...] | None = None
    hold_out: tuple[str, ...] = ()
    hold_out_seed: int = 0
    correlate: tuple[str, ...] = ()
    typed: str = field(default="", compare=False)
    """The name as the user typed it, for messages."""

    @classmethod
    def of(
        cls,
        name: str,
        *,
        data_dir: str | Path | None = None,
        file: str | Path | None = None,
        factors: Sequence[str] | None = None,
        hold_out: Sequence[str] = (),
        correlate: str | Sequence[str] = (),
        **given: Any,
    ) -> Self:
        """Create a request from a user's arguments; paths become absolute.

        Raises:
            UsageError: `correlate` is invalid, or the dataset has no such setting.
        """
        pairs = (correlate,) if isinstance(correlate, str) else tuple(correlate)
        if true_name(name) in registry.datasets.entries:  # before it is prepared
            pairs = with_settings(pairs, true_name(name))
        return cls(
            name=true_name(name),
            typed=name,
            data_dir=Path(data_dir).expanduser().resolve() if data_dir else None,
            file=Path(file).expanduser().resolve() if file else None,
            factors=None if factors is None else tuple(factors),
            hold_out=tuple(hold_out),
            correlate=pairs,
            **given,
        )

    @property
    def whole(self) -> Self:
        """The same request for the entire dataset."""
        return replace(self, split=None, factors=None, hold_out=(), hold_out_seed=0, correlate=())

    @property
    def record_fields(self) -> dict[str, Any]:
        """The fields of a run's record from which the dataset is reopened; see `DatasetRecord`."""
        file = self.file or path_of(self.name)
        return {
            "data_dir": str(self.data_dir) if self.data_dir else None,
            "file": str(file) if file else None,
            "image_size": self.image_size,
            "channels": self.channels,
        }

    def open(self, say: Say = silent, progress: Progress = silent) -> Dataset:
        """Open the entire dataset.

        Args:
            say: called with a line of text before slow operations.
            progress: called with the number of images prepared so far and the total.

        Raises:
            UsageError: no dataset has this name, or it does not support an option, or the split is
                one of another dataset.
            DisentangleError: its files are missing, damaged or those of another dataset.
        """
        if self.split is not None and not self.hold_out:
            check_split(self.name, self.split)
        return load_dataset(
            self.typed or self.name,
            data_dir=self.data_dir,
            file=self.file,
            download=self.download,
            image_size=self.image_size,
            channels=self.channels,
            say=say,
            progress=progress,
        )

    def training_part(self, dataset: Dataset, say: Say = silent) -> Dataset:
        """Select the part to train on: as requested, or else the dataset's own training split.

        Args:
            dataset: the entire dataset, or a view of it.
            say: called with the sizes of the parts, if some images are held out.

        Raises:
            UsageError: the dataset has no such split, factor or value.
        """
        split = self.split
        if split is None and not self.hold_out and "split" not in dataset.view_record:
            split = dataset.train_split if dataset.train_split != "all" else None
        if split is None and self.factors is None and not (self.hold_out or self.correlate):
            return dataset
        part = dataset.view(
            split=split,
            factors=self.factors,
            hold_out=self.hold_out,
            hold_out_seed=self.hold_out_seed,
            correlate=self.correlate,
        )
        if "hold_out" in part.view_record and "hold_out" not in dataset.view_record:
            say(parts_line(part))
        return part
