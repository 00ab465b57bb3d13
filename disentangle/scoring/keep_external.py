"""Keep the scores of external encoders and codes under a name, so that tables show them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.versions import now, package_versions
from disentangle.contracts.source import Source
from disentangle.errors import MetricFailed, NotWritable, UsageError
from disentangle.runs.external import (
    External,
    ExternalRecord,
    external_folder,
    load_externals,
)
from disentangle.runs.labels import check_free, check_name, naming
from disentangle.runs.records import DatasetRecord
from disentangle.runs.score_records import Score
from disentangle.runs.scored_folder import locked_if_writable
from disentangle.runs.scores import keep_scores, read_scores
from disentangle.scoring.measure import ScoreMapping, ScoreRequest, measure
from disentangle.scoring.score_runs import is_present

DIRECTIONS = 4
"""Number of random directions that codes are projected on for a signature."""
ROUNDING = 1e-4
"""Largest difference of the codes of one function, relative to their spread over images. Sums in
another order, as in other batches, change those of a ResNet-18 by 4e-5; 16-bit floats do by 0.2."""
OF_WEIGHTS = 0.01
"""The same if the weights have a digest, which alone tells checkpoints apart: a GPU may multiply in
TensorFloat-32, by default in convolutions."""
STUDY = "default"
Signature = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Keep:
    """The name under which scores are kept, and the folder of results.

    Attributes:
        name: the name of the row in tables.
        seed: the seed that the encoder was trained with; encoders of one name and several seeds
            share a row.
        results: the results folder.
        study: the study, a subfolder of the results [default: where the name is, else `default`].
    """

    name: str
    seed: int | None = None
    results: Path = Path("results")
    study: str | None = None

    def __post_init__(self) -> None:
        """Raise a UsageError if the name is not valid, or a run has it."""
        check_name(self.name)
        check_free(self.name, None, self.results)

    def external(
        self,
        kind: Literal["encoder", "codes"],
        dataset: DatasetRecord,
        origin: Mapping[str, str],
        latents: int,
        **content: Any,
    ) -> External:
        """The external encoder of this name, data and seed; a new one is not written yet.

        Args:
            kind: `codes` for given arrays.
            dataset: the whole dataset.
            origin: what the encoder or the file of codes is.
            latents: the number of latents.
            content: `signature` and `takes` of an encoder, `codes` for the digest of arrays.

        Raises:
            UsageError: the name is that of other codes, is kept in another study, or is used both
                with and without seeds.
        """
        record = ExternalRecord(
            kind=kind,
            name=self.name,
            seed=self.seed,
            origin=dict(origin),
            latents=latents,
            dataset=dataset,
            created=now(),
            packages=package_versions(),
            **content,
        )
        kept = same_row(record, self.results)
        if kept and self.study and self.results / self.study not in kept.path.parents:
            raise UsageError(
                f"--study {self.study}: '{self.name}' is kept in {kept.path}; leave out "
                "--study, or give another --name"
            )
        new = External(external_folder(self.results, self.study or STUDY, record), record)
        return kept or new


def same_row(record: ExternalRecord, results: Path) -> External | None:
    """The external encoder that is kept with the name, data and seed of a record, if any.

    Raises:
        UsageError: its codes are others, or the name is used both with and without seeds.
    """
    for other in load_externals(results)[0]:
        if not record.excludes(other.record):
            continue
        if other.record.seed != record.seed:
            without = "without" if other.record.seed is None else "with"
            raise UsageError(
                f"--name {record.name}: {other.path} was kept {without} --encoder-seed. Give "
                "every checkpoint of a name its seed, or give another --name; `disentangle "
                f"runs remove {other.record.id}` deletes the old scores"
            )
        if why := difference(other.record, record):
            seed = "" if record.seed is None else " or another --encoder-seed"
            raise UsageError(
                f"--name {record.name}: {other.path} holds the scores of other codes ({why}). "
                f"Give another --name{seed}; `disentangle runs remove {other.record.id}` "
                "deletes the old scores"
            )
        return other
    return None


def difference(kept: ExternalRecord, new: ExternalRecord) -> str:
    """What tells two external encoders of one name apart; empty if they are the same.

    The name of a file, the versions of libraries and the text of a program may change; weights and
    preprocessing may not, nor the codes.
    """
    fields = {
        "kind": (kept.kind, new.kind),
        "latents": (kept.latents, new.latents),
        "takes": (kept.takes, new.takes),
        **{
            key: (kept.origin.get(key, "none"), new.origin.get(key, "none"))
            for key in ("weights", "preprocessing", "output")
        },
        "file": tuple(r.origin.get("file", "").rpartition(" ")[2] for r in (kept, new)),
        "codes": (kept.codes, new.codes),
    }
    if new.kind == "codes":
        del fields["file"]  # the arrays in it are compared
    for name, (expected, got) in fields.items():
        if expected != got:
            return f"{name}: expected {expected}, got {got}"
    tolerance = OF_WEIGHTS if {"weights", "file"} & set(new.origin) else ROUNDING
    if not alike(kept.signature, new.signature, tolerance):
        why = "the codes of the same images differ by more than rounding"
        if new.kind == "encoder" and tolerance == ROUNDING:
            why += (
                ", and a function has no digest of weights that would tell whether it is the same; "
                "if it is, score it on the device on which it was first scored"
            )
        return why
    return ""


def signature_of(codes: NDArray[np.floating[Any]]) -> Signature:
    """Projections of codes [N, D] on a few fixed random directions, [N, DIRECTIONS]."""
    directions = np.random.default_rng(0).standard_normal((codes.shape[1], DIRECTIONS))
    projected = codes.astype(np.float64) @ directions / np.sqrt(codes.shape[1])
    return tuple(tuple(float(f"{value:.7g}") for value in row) for row in projected)


def alike(a: Signature, b: Signature, tolerance: float) -> bool:
    """True if two signatures differ by rounding alone; a longer one has further images.

    Args:
        a: the signature that is kept.
        b: the new one.
        tolerance: the largest difference, relative to the spread over images.
    """
    common = min(len(a), len(b))
    if not common:  # arrays have no signature
        return True
    x, y = np.array(a[:common]), np.array(b[:common])
    if x.shape != y.shape:
        return False
    allowed = tolerance * x.std(axis=0) + 1e-5 * np.abs(x).max(initial=0)
    return bool((np.abs(x - y) <= allowed).all())


def lacking(external: External, requests: Sequence[ScoreRequest]) -> list[ScoreRequest]:
    """The requests for scores that an external encoder lacks."""
    scores = read_scores(external)
    return [one for one in requests if not is_present(scores, one)]


def complete(
    external: External, requests: Sequence[ScoreRequest], source: Source[Any]
) -> ScoreMapping:
    """Compute the scores that an external encoder lacks, and keep each; return those requested."""
    failed: dict[str, str] = {}
    for one in lacking(external, requests):
        try:
            computed = measure(one, source)
        except MetricFailed as error:
            failed[one.metric.name] = str(error)
            continue
        add(external, one, computed)
    scores = read_scores(external)
    kept = [score for one in requests for score in one.among(scores)]
    return ScoreMapping(kept, failed, external.unwritten)


def add(external: External, request: ScoreRequest, computed: Sequence[Score]) -> None:
    """Add the scores of a request to those in the folder, which is made with its record."""
    with suppress(OSError, NotWritable):  # writing the scores reports it
        if not (external.path / external.record_name).exists():
            create(external)
    with locked_if_writable(external):
        scores = read_scores(external)
        replaced = request.among(scores)
        others = [score for score in scores if score not in replaced]
        keep_scores(external, (*others, *computed))


def create(external: External) -> None:
    """Make the folder of an external encoder, unless another process has just taken its name.

    Raises:
        UsageError: it has.
        NotWritable: the results folder cannot be written to.
        OSError: the encoder's folder cannot be.
    """
    name, results = external.record.name, external.path.parents[3]
    with naming(name, results):
        check_free(name, None, results)
        kept = same_row(external.record, results)
        if kept and kept.path.resolve() != external.path.resolve():
            raise UsageError(
                f"--name {name}: {kept.path} was kept meanwhile, for the same "
                "codes; give the command again"
            )
        external.path.mkdir(parents=True, exist_ok=True)
        external.save_record()
