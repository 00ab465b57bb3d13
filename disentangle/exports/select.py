"""What is exported: runs, external encoders, baselines and study files, in a folder or by name."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from disentangle.errors import DisentangleError
from disentangle.exports.archive_format import BASELINES, STUDY
from disentangle.runs.collection import find_folders, load_all
from disentangle.runs.external import External, find_external, load_externals
from disentangle.runs.labels import find_run
from disentangle.runs.layout import EXTERNAL, folder_name
from disentangle.runs.run import Run, read_run

Given: TypeAlias = Run | External | str | Path
"""A run, an external encoder, or the folder, name or id of one; or a folder of several."""


@dataclass
class Selection:
    """What is to be exported.

    Attributes:
        folders: the runs and external encoders by place, as in `STUDY/DATASET/MODEL/ID`.
        files: the files of baselines and studies by place.
        problems: messages on runs that cannot be read.
    """

    folders: dict[str, Run | External] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, one: Run | External) -> None:
        """Add a run or an external encoder.

        Raises:
            DisentangleError: another one has the same place.
        """
        place = place_of(one)
        other = self.folders.setdefault(place, one)
        if other.path.resolve() != one.path.resolve():
            raise DisentangleError(
                f"{other.path} and {one.path} are the same run, which an archive holds once; "
                "export them one by one"
            )

    def add_folder(self, folder: Path) -> None:
        """Add all that is in a results folder, a study or a part of one."""
        runs, unreadable = load_all(folder)
        externals, problems = load_externals(folder)
        for run in runs:
            self.add(run)
        for external in externals:
            self.add(external)
        self.problems += [*unreadable, *problems]
        whole = folder.resolve()
        root = whole.parent if whole.name == BASELINES else whole
        for file in (*root.glob(f"{BASELINES}/*/*.json"), *whole.glob(f"*/{STUDY}")):
            self.files[file.relative_to(root).as_posix()] = file
        if (whole / STUDY).is_file():
            self.files[f"{whole.name}/{STUDY}"] = whole / STUDY


def select(given: Iterable[Given], results: str | Path) -> Selection:
    """Select what is given, by name and id among the runs in `results`.

    Raises:
        DisentangleError: something given is neither a run nor a folder with runs.
    """
    selection = Selection()
    for one in given:
        if isinstance(one, Run | External):
            selection.add(one)
        elif is_folder_of_runs(Path(one).expanduser()):
            selection.add_folder(Path(one).expanduser())
        else:
            for each in find_scored(one, results):
                selection.add(each)
    return selection


def is_folder_of_runs(path: Path) -> bool:
    """True if a path is a folder with several runs or baselines, and not that of a single run."""
    if not path.is_dir():
        return False
    runs, externals = find_folders(path)
    baselines = path if path.resolve().name == BASELINES else path / BASELINES
    return path not in (*runs, *externals) and any((runs, externals, [*baselines.glob("*/*.json")]))


def find_scored(given: str | Path, results: str | Path) -> list[Run | External]:
    """The run with a folder, name or id; or the external encoders, several of one name.

    Raises:
        DisentangleError: there is none.
    """
    externals = find_external(given, results)
    try:
        return [read_run(find_run(given, results))]
    except DisentangleError:
        if externals:
            return [*externals]
        if Path(given).expanduser().is_dir():
            raise DisentangleError(f"{given}: neither a run nor a folder with runs") from None
        raise


def place_of(one: Run | External) -> str:
    """The place of a run in a results folder; in the study `default` if its own cannot be told."""
    kind = EXTERNAL if isinstance(one, External) else folder_name(one.record.model)
    below = (folder_name(one.record.dataset.name), kind, one.record.id)
    parts = one.path.resolve().parts
    inside = len(parts) > 4 and parts[-3:] == below and not parts[-4].startswith(".")
    return "/".join((parts[-4] if inside else "default", *below))
