"""Which dataset is asked for: its name, how it is opened, and the part that is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle.contracts.dataset import Dataset
from disentangle.data.loading import load_dataset, own_path


@dataclass(frozen=True, kw_only=True)
class DatasetRequest:
    """A dataset as a user asks for it; the arguments are those of `train`.

    Made once of a verb's arguments, or of a study's file, and passed on whole.
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

    @classmethod
    def of(
        cls,
        name: str,
        *,
        data_dir: str | Path | None = None,
        file: str | Path | None = None,
        factors: Sequence[str] | None = None,
        hold_out: Sequence[str] = (),
        **given: Any,
    ) -> Self:
        """Make a request of arguments as users give them; paths become absolute."""
        return cls(
            name=name,
            data_dir=Path(data_dir).expanduser().resolve() if data_dir else None,
            file=Path(file).expanduser().resolve() if file else None,
            factors=None if factors is None else tuple(factors),
            hold_out=tuple(hold_out),
            **given,
        )

    @property
    def whole(self) -> Self:
        """The request for all of the dataset."""
        return replace(self, split=None, factors=None, hold_out=(), hold_out_seed=0)

    @property
    def record_fields(self) -> dict[str, Any]:
        """How the dataset is found again, for a run's record; see `DatasetRecord`."""
        file = self.file or own_path(self.name)
        return {
            "data_dir": str(self.data_dir) if self.data_dir else None,
            "file": str(file) if file else None,
            "image_size": self.image_size,
            "channels": self.channels,
        }

    def open(self, say: Say = lambda text: None, progress: Progress = silent) -> Dataset:
        """Open the whole dataset.

        Args:
            say: called with a line of text before anything that takes long.
            progress: called with the number of images prepared so far, and of all.

        Raises:
            UsageError: no dataset has this name, or it takes no such option.
            DisentangleError: its files are missing, broken or not its own.
        """
        return load_dataset(
            self.name,
            data_dir=self.data_dir,
            file=self.file,
            download=self.download,
            image_size=self.image_size,
            channels=self.channels,
            say=say,
            progress=progress,
        )

    def training_part(self, dataset: Dataset) -> Dataset:
        """Return the part to train on: as asked for, or else the dataset's own training split.

        Raises:
            UsageError: the dataset has no such split, factor or value.
        """
        split = self.split
        if split is None and not self.hold_out and "split" not in dataset.view_record:
            split = dataset.train_split if dataset.train_split != "all" else None
        if split is None and self.factors is None and not self.hold_out:
            return dataset
        return dataset.view(
            split=split,
            factors=self.factors,
            hold_out=self.hold_out,
            hold_out_seed=self.hold_out_seed,
        )
