"""Views of datasets: some of their images, or some of their factors."""

from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from disentangle.dataset import Dataset, Index, Labelled, ViewRecord

if TYPE_CHECKING:
    from torch import Tensor


class Subset(Dataset):
    """Some images of another dataset."""

    def __init__(self, base: Dataset, index: Index, record: ViewRecord) -> None:
        self.base, self.chosen, self.view_record = base, index, record
        self.image_shape, self.likelihood = base.image_shape, base.likelihood
        self.name, self.source, self.fingerprint = base.name, base.source, base.fingerprint

    def __len__(self) -> int:
        return len(self.chosen)

    def images(self, index: ArrayLike) -> "Tensor":
        """Return the images at `index`, uint8 [N, C, H, W]."""
        return self.base.images(self.chosen[self._index(index)])


class LabelledSubset(Subset, Labelled):
    """Some images of a labelled dataset, or some of its factors, or both."""

    base: Labelled

    def __init__(
        self,
        base: Labelled,
        index: Index,
        record: ViewRecord,
        nuisance: frozenset[str],
    ) -> None:
        super().__init__(base, index, record)
        self.every_factor, self.nuisance = base.every_factor, nuisance

    def every_label(self, index: ArrayLike) -> Index:
        """Return the labels of all factors, [N, len(every_factor)]."""
        return self.base.every_label(self.chosen[self._index(index)])
