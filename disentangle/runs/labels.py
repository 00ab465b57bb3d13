"""Names and notes of runs, and finding a run by its name or the start of its id.

A label is a file of its own beside the record: it changes neither a run's id nor its numbers.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from filelock import FileLock

from disentangle._utils.files import write_text
from disentangle.errors import DisentangleError, NotWritable, UsageError
from disentangle.runs.collection import find_runs
from disentangle.runs.external import External, find_external, load_externals
from disentangle.runs.layout import RECORD
from disentangle.runs.records import Record, read_record

LABEL = "label.json"
"""The file of a run's name and note."""
NAME = re.compile(r"[A-Za-z0-9][\w.+=-]*", re.ASCII)
NAMES_LOCK = ".names.lock"
"""The file by which the processes that give names in a results folder exclude one another."""
LISTED = 5
"""Maximum number of runs that a message lists."""


class Label(Record):
    """The name and the note that a user gave to a run; empty if there are none."""

    format: Literal[1] = 1
    name: str = ""
    note: str = ""


def read_label(run: Path) -> Label:
    """Read the label of the run in a folder; it is empty if the run has none."""
    with suppress(FileNotFoundError):
        return read_record(Label, run / LABEL)
    return Label()


def write_label(
    run: Path,
    *,
    name: str | None = None,
    note: str | None = None,
    results: str | Path | None = None,
) -> Label:
    """Change the name or the note of the run in a folder; None keeps it, empty text removes it.

    Args:
        run: the run's folder.
        name: the name.
        note: the note.
        results: a folder in which no other run may have this name.

    Raises:
        UsageError: the name is not valid, or another run has it.
    """
    given = {"name": name and check_name(name), "note": note}
    changes = {field: text for field, text in given.items() if text is not None}
    with naming(name, results):
        label = read_label(run).model_copy(update=changes)
        if name and results is not None:
            check_free(name, run, results)
        if changes:
            write_text(run / LABEL, label.model_dump_json(indent=2) + "\n")
    return label


@contextmanager
def naming(name: str | None, results: str | Path | None) -> Iterator[None]:
    """Let no other process give a name in a results folder, from checking it to writing it.

    Without a name or a folder there is nothing to exclude.

    Raises:
        NotWritable: the folder cannot be written to.
    """
    if not name or results is None:
        yield
        return
    lock = FileLock(Path(results) / NAMES_LOCK)
    try:
        Path(results).mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise NotWritable(
            f"{results}: cannot write to this folder ({error.strerror or error}); choose another "
            "one with --results"
        ) from error
    try:
        yield
    finally:
        lock.release()


def rename_external(
    external: External, results: str | Path, *, name: str | None = None, note: str | None = None
) -> None:
    """Change the name or the note of an external encoder; None keeps it.

    Raises:
        UsageError: the name is not valid, or a run or another encoder on the data has it.
    """
    with naming(name, results):
        if name is not None:
            check_free(check_name(name), None, results)
            renamed = external.record.model_copy(update={"name": name})
            for other in load_externals(results)[0]:
                same = other.path.resolve() == external.path.resolve()
                if renamed.excludes(other.record) and not same:
                    raise UsageError(f"--name {name}: {other.path} has this name already")
        changes = {"name": name, "note": note}
        external.save_record(**{key: text for key, text in changes.items() if text is not None})


def check_name(name: str) -> str:
    """Return a valid name of a run.

    Raises:
        UsageError: it has other characters than letters, digits and `_ . + = -`.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"--name '{name}': expected letters, digits and _ . + = -, such as beta-vae-seed0"
        )
    return name


def check_free(name: str, run: Path | None, results: str | Path) -> None:
    """Raise if another run in the results has a name, or an external encoder if a run is named.

    External encoders on several datasets may share one.

    Args:
        name: the name.
        run: the folder of the run to be named; None if what is named is an external encoder.
        results: the folder that is searched.

    Raises:
        UsageError: the name is taken.
    """
    if run is not None and any(name == one.record.name for one in load_externals(results)[0]):
        raise UsageError(f"--name {name}: an external encoder has this name; choose another")
    for other in find_runs(results):
        if (run is None or other.resolve() != run.resolve()) and name in (
            other.name,
            name_of(other),
        ):
            what = "id" if name == other.name else "name"
            raise UsageError(f"--name {name}: {other} has this {what} already; choose another")


def name_of(run: Path) -> str:
    """The name of the run in a folder; empty if its label cannot be read."""
    try:
        return read_label(run).name
    except DisentangleError:
        return ""


def find_run(given: str | Path, results: str | Path) -> Path:
    """The folder of a run that is given by its folder, its name or the start of its id.

    Args:
        given: a folder, which comes first; else a name, or an id's first characters. A folder may
            be given from `results` on.
        results: the folder whose runs are searched for the name or id.

    Raises:
        DisentangleError: several runs match, or none does.
    """
    text, folder = str(given), Path(given).expanduser()
    if (folder / RECORD).exists() or folder.is_absolute():
        return folder
    if len(folder.parts) != 1:
        inside = Path(results) / folder
        return inside if (inside / RECORD).exists() else folder
    runs = find_runs(results)
    matches = [run for run in runs if run.name == text]
    matches = matches or [run for run in runs if name_of(run) == text]
    matches = matches or [run for run in runs if run.name.startswith(text)]
    if len(matches) > 1:
        raise DisentangleError(f"'{text}' matches several runs; give one of {first_few(matches)}")
    if not matches and find_external(given, results):
        raise DisentangleError(
            f"'{text}' is an external encoder, not a run: it was not trained here, and only its "
            "scores are kept"
        )
    if not matches:
        raise DisentangleError(
            f"{text}: not a run (it has no run.json), nor the name or id of a run in {results}. "
            "`disentangle runs` lists the runs."
        )
    return matches[0]


def first_few(paths: Sequence[Path]) -> str:
    """Paths as text, at most `LISTED` of them."""
    others = len(paths) - LISTED
    return ", ".join(map(str, paths[:LISTED])) + (f" and {others} more" if others > 0 else "")
