"""The command that adds scores to an external encoder, from what its record holds."""

import shlex
from collections.abc import Sequence

from disentangle.contracts.references import Reference
from disentangle.runs.external import ARRAYS, ExternalRecord


def score_command(
    record: ExternalRecord, metrics: Sequence[str] = (), results: str = "results"
) -> str:
    """The command that scores an external encoder again, and keeps its scores under its name.

    A word in capitals stands for what is not recorded, such as a function of a notebook.

    Args:
        record: the record of the encoder.
        metrics: the metrics to score [default: those of the command].
        results: the results folder.
    """
    takes = [] if record.takes == "float" else ["--takes", record.takes]
    words = ["--encoder", source_of(record, "REFERENCE"), *takes]
    if record.kind == "codes":
        labels = record.origin.get("labels", "").rpartition(" ")[0]
        words = ["--codes", source_of(record, "FILE"), *(["--labels", labels] if labels else [])]
    if record.dataset.name != ARRAYS:
        words += ["--dataset", record.dataset.name]
    words += ["--name", record.name]
    if record.seed is not None:
        words += ["--encoder-seed", str(record.seed)]
    for metric in metrics:
        words += ["--metric", metric]
    if results != "results":
        words += ["--results", results]
    return shlex.join(["disentangle", "score", *words])


def source_of(record: ExternalRecord, unknown: str) -> str:
    """The reference or file that codes come from; `unknown` if no command can name it."""
    options = {key: str(value) for key, value in record.options.items() if key != "takes"}
    name = record.reference
    if not name or name.startswith("__main__:") or "<" in name:
        return unknown
    return str(Reference("", name, options))
