"""The verb `encode`: the codes of images, with their factors, as a file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.callbacks import Progress
from disentangle._utils.device import choose_device
from disentangle._utils.files import check_new
from disentangle._utils.notebook import encoding_line
from disentangle._utils.versions import made_by
from disentangle.contracts.dataset import Dataset, Index, Labelled
from disentangle.data.loading import opened
from disentangle.errors import DisentangleError, Unavailable, UsageError
from disentangle.runs.named import load_run
from disentangle.runs.records import DatasetRecord
from disentangle.runs.run import Run
from disentangle.scoring.code_writers import Block, CodeTable, check_format, files_of, write_table
from disentangle.scoring.codes import RunSource
from disentangle.scoring.reduction import Real
from disentangle.scoring.request import ScoringRequest

BLOCK = 2**14
"""Rows that are written at once."""


def encode(
    run: Run | str | Path,
    output: str | Path,
    *,
    dataset: Dataset | str | None = None,
    split: str | None = None,
    factors: Sequence[str] | None = None,
    force: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> list[Path]:
    """Write the codes of images, with their factors, to a file; return the files.

    An npz file holds `codes` (the means, [N, D] or in blocks [N, B, M]), `scales` (standard
    deviations; not for blocks or for a model without a posterior), `factors` [N, K], their `names`
    and `kinds`, `index` (each image's number in the dataset) and `about`, a JSON text that says
    what made them. CSV and Parquet have a column for each latent, scale and factor. `score_codes`
    takes the arrays of the npz, and `disentangle score --codes` any of the files.

    Images are read in blocks, so that memory holds the codes, but never all images.

    Args:
        run: a finished run.
        output: a file that ends with `.npz`, `.csv` or `.parquet` (needs pyarrow).
        dataset: images of the shape of the run's [default: the run's own dataset].
        split: the split to encode [default: the split that `score` would score].
        factors: the factors to write, overriding the dataset's choice.
        force: whether an existing file may be replaced.
        device: the device for encoding.
        progress: called while images are encoded [default: a line in a notebook].

    Raises:
        UsageError: an unknown suffix, split or factor, or codes in blocks for another suffix than
            `.npz`.
        DisentangleError: the run is not finished, its images have another shape than the dataset's,
            the file exists or cannot be written, or a package is missing.
    """
    path = Path(output).expanduser()
    check_output(path, force)
    run = (run if isinstance(run, Run) else load_run(run)).check_finished()
    torch_device = choose_device(device)
    request = ScoringRequest.of(split=split, factors=factors)
    part = part_to_encode(run, request, dataset)
    with encoding_line(progress) as shown:
        source = RunSource(run, part, torch_device, shown)
        try:
            return write_table(path, table_of(source))
        except OSError as error:
            raise DisentangleError(
                f"{error.filename or path}: cannot be written: {error.strerror or error}"
            ) from error
        finally:
            source.save()


def check_output(path: Path, force: bool) -> None:
    """Raise unless this file can be written: its format, its folder, and that it is new."""
    check_format(path)
    for file in files_of(path):
        check_new(file, force)
    if not path.parent.is_dir():
        raise UsageError(f"{path}: expected a file in an existing folder")


def part_to_encode(
    run: Run, request: ScoringRequest, dataset: Dataset | str | None
) -> Dataset | None:
    """The images to encode, those that would be scored; None for those the run was trained on.

    Raises:
        DisentangleError: the images of another dataset have another shape than the run's.
    """
    if dataset is None:
        return request.part_of_run(run)
    other = opened(dataset)
    shape, own = other.image_shape, run.record.dataset.image_shape
    if tuple(shape) != tuple(own):
        raise DisentangleError(
            f"{run.path}: expected images of {in_words(own)}, as it was trained on, got "
            f"{in_words(shape)} in '{other.name}'"
        )
    return request.part_of(other)


def in_words(shape: Sequence[int]) -> str:
    """The shape of images in words."""
    channels, height, width = shape
    return f"{height}x{width} with {channels} channel{'s' if channels > 1 else ''}"


def table_of(source: RunSource) -> CodeTable:
    """The codes of a source, with the factors of its dataset if it has labels."""
    dataset: Any = source.dataset
    names = tuple(dataset.factors) if isinstance(dataset, Labelled) else ()
    numbered = [name for name in names if name in dataset.numbers]

    def blocks() -> Iterator[Block]:
        for start in range(0, len(dataset), BLOCK):
            index = np.arange(start, min(start + BLOCK, len(dataset)))
            codes, scales = codes_of(source, index)
            if numbered:
                factors: NDArray[Any] = cast(Any, source).values(index)
            else:
                factors = dataset.labels(index) if names else np.empty((len(index), 0), np.int64)
            yield Block(dataset.origin(index), codes, scales, factors)

    return CodeTable(
        rows=len(dataset),
        names=names,
        whole=frozenset(names) - set(numbered),
        kinds=kept_kinds(dataset, names),
        about=about(source, names),
        blocks=blocks,
    )


def kept_kinds(dataset: Any, names: Sequence[str]) -> dict[str, str]:
    """The kinds of factors, with which the file's factors have the labels of the dataset.

    A cyclic factor whose values are equal to one another up to its period, as the first and last
    orientation of dSprites are, has labels of its own for these, so its kind is left out.
    """
    kinds = {name: dataset.kinds.get(name, "categorical") for name in names}
    return {
        name: kind
        for name, kind in kinds.items()
        if name in dataset.real_factors or not repeats(dataset, name)
    }


def repeats(dataset: Labelled, name: str) -> bool:
    """True if values of a cyclic factor are equal up to its period."""
    kind = dataset.kind(name)
    numbers = np.asarray(dataset.every_number[name], np.float64)
    return kind.name == "cyclic" and len(np.unique(numbers % kind.period)) < len(numbers)


def codes_of(source: RunSource, index: Index) -> tuple[Real, Real | None]:
    """The means and the standard deviations of codes; None without a posterior, and for blocks."""
    codes = source.unreduced(source.dataset.origin(index)).astype(np.float32)
    if codes.ndim == 3:
        return codes, None
    try:
        return codes, source.posterior(index)[1].astype(np.float32)
    except Unavailable:
        return codes, None


def about(source: RunSource, names: Sequence[str]) -> dict[str, Any]:
    """What made the codes: the run, the images, and the names of the factors' values."""
    record, dataset = source.run.record, source.dataset
    data = DatasetRecord.of(dataset)
    values = getattr(dataset, "values", {})
    return {
        "made_by": made_by(),
        "run": record.id,
        "model": record.model,
        "settings": record.knobs,
        "weights": record.weights,
        "dataset": data.name,
        "view": data.view,
        "fingerprint": data.fingerprint,
        "images": data.images,
        "kinds": kept_kinds(dataset, names),
        "values": {name: list(values[name]) for name in names if name in values},
    }
