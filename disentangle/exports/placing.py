"""Put unpacked runs into a results folder: all or nothing of each, and no score is ever lost."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from disentangle._utils.callbacks import Say
from disentangle._utils.files import write_text
from disentangle.errors import DisentangleError
from disentangle.exports.archive_format import files_in
from disentangle.exports.unarchive import Unpacked
from disentangle.runs.collection import find_runs
from disentangle.runs.external import External, load_external, load_externals
from disentangle.runs.labels import LABEL, name_of, read_label, write_label
from disentangle.runs.layout import SCORES
from disentangle.runs.records import read_record
from disentangle.runs.run import Run, read_run
from disentangle.runs.score_records import Score, ScoreFile
from disentangle.runs.scored_folder import ScoredFolder
from disentangle.runs.scores import read_scores
from disentangle.runs.tracker_records import trackers_of

OWN = {"seconds", "packages", "detail", "value", "reason", "overlap"}
"""Fields of a score that do not define its meaning."""

Outcome = Literal["new", "already there", "completed", "trained further", "replaced", "left"]


class Placing:
    """The results folder that runs are put into.

    Attributes:
        results: the folder.
        force: whether a run with other weights may be replaced.
        say: called with a line on each run that was there before and was changed.
        names: the name or id of a run in it -> the run's folder.
        externals: the external encoders in it.
    """

    def __init__(self, results: Path, force: bool, say: Say) -> None:
        self.results, self.force, self.say = results, force, say
        runs = find_runs(results)
        self.names = {run.name: run for run in runs} | {name_of(run): run for run in runs}
        self.externals = load_externals(results)[0]

    def put(self, one: Unpacked) -> Outcome:
        """Put what was unpacked for one place into the results folder.

        Raises:
            DisentangleError: it cannot be put there; what was there is unchanged.
        """
        target = self.results.joinpath(*one.place.name.split("/"))
        try:
            if isinstance(one.content, Run):
                return self.put_run(one.content, target)
            if isinstance(one.content, External):
                return self.put_external(one.content, target)
            if isinstance(one.content, ScoreFile):
                return add_scores(target, one.content.scores)
            return self.put_study(one.path, target)
        except OSError as error:
            raise DisentangleError(
                f"{target}: cannot be written: {error.strerror or error}"
            ) from error

    def put_run(self, run: Run, target: Path) -> Outcome:
        """Put a run into its folder, or complete the one that is there."""
        old = replaced(target)
        if old.exists() and not target.exists():  # an interrupted import has left it
            old.rename(target)
        before = [tracker.track for tracker in trackers_of(target)]
        if target.exists():
            outcome = self.combine(run, read_run(target))
        else:
            self.release_name(run, target)
            move(run.path, target)
            outcome = "new"
        for tracker in () if run.finished else trackers_of(target):
            if tracker.track not in before:
                self.say(f"{target}: resuming it sends it to {tracker.track}, as before")
        return outcome

    def release_name(self, run: Run, target: Path) -> None:
        """Take the name from a run if another one in the results folder has it."""
        label = read_label(run.path)
        other = self.names.get(label.name) if label.name else None
        taken = [one.path for one in self.externals if one.record.name == label.name]
        if other or (label.name and taken):
            path = other or taken[0]
            self.say(f"{target}: imported without its name '{label.name}', which {path} has")
            write_label(run.path, name="")
        elif label.name:
            self.names[label.name] = target

    def put_external(self, external: External, target: Path) -> Outcome:
        """Put an external encoder into its folder, or add its scores to the one that is there."""
        if target.exists():
            here = load_external(target)
            with here.lock():
                return self.add_scores(here, read_scores(external))
        name = external.record.name
        others = [one.path for one in self.externals if one.record.excludes(external.record)]
        if path := self.names.get(name) or next(iter(others), None):
            raise DisentangleError(
                f"{target}: {path} has the name '{name}' already; give that another one, as in "
                f"`disentangle runs name {path} NAME`"
            )
        move(external.path, target)
        self.externals.append(load_external(target))
        return "new"

    def put_study(self, file: Path, target: Path) -> Outcome:
        """Put a study file into its folder; another one that is there stays."""
        if target.exists():
            if target.read_bytes() == file.read_bytes():
                return "already there"
            self.say(f"{target}: left as it is; the archive has another one")
            return "left"
        move(file, target)
        return "new"

    def combine(self, theirs: Run, ours: Run) -> Outcome:
        """Combine a run with the one of the same id in the results folder."""
        with ours.lock():
            relation = compare(theirs, ours)
            if relation == "equal":
                return self.complete(theirs, ours)
            if relation == "behind":
                self.say(f"{ours.path}: left as it is: it was trained further than the archive's")
                return "left"
            if relation == "other" and not self.force:
                raise DisentangleError(
                    f"{ours.path}: a training of the same settings with other weights is there. "
                    "Replace it with `--force`, or import into another folder with `--results`"
                )
            self.replace(theirs, ours, further=relation == "further")
        if relation == "further":
            self.say(f"{ours.path}: replaced by the archive's, which was trained further")
            return "trained further"
        self.say(f"{ours.path}: replaced")
        return "replaced"

    def complete(self, theirs: Run, ours: Run) -> Outcome:
        """Add to a run the files and scores that it lacks; both have the same weights."""
        added = []
        for name in files_in(theirs.path):
            if name not in (SCORES, LABEL) and not (ours.path / name).exists():
                move(theirs.path / name, ours.path / name)
                added.append(name)
        outcome = self.add_scores(ours, read_scores(theirs))
        if not added:
            return outcome
        self.say(f"{ours.path}: added {', '.join(added)}")
        return "completed"

    def add_scores(self, one: ScoredFolder, scores: Iterable[Score]) -> Outcome:
        """Add to a run or external encoder the scores that it lacks."""
        outcome = add_scores(one.path / SCORES, scores)
        if outcome == "completed":
            self.say(f"{one.path}: scores added")
        return outcome

    def replace(self, theirs: Run, ours: Run, *, further: bool) -> None:
        """Put a run in the place of another one, with the label and the scores of both.

        If it was `further` trained, it gets the other's kept checkpoints and trackers too. Until
        the last moment the other one is in its place, or beside it.

        Raises:
            DisentangleError: the other one is a link.
        """
        if ours.path.is_symlink():
            raise DisentangleError(
                f"{ours.path} is a link to a run: remove the link, or import into the results "
                "folder that it leads to"
            )
        if (ours.path / LABEL).exists():
            shutil.copy2(ours.path / LABEL, theirs.path / LABEL)
        else:
            self.release_name(theirs, ours.path)
        add_scores(theirs.path / SCORES, read_scores(ours))
        for name in files_in(ours.path) if further else ():
            if name.startswith(("history/", "trackers/")) and not (theirs.path / name).exists():
                (theirs.path / name).parent.mkdir(exist_ok=True)
                shutil.copy2(ours.path / name, theirs.path / name)
        old = replaced(ours.path)
        shutil.rmtree(old, ignore_errors=True)  # left by an interrupted import
        ours.path.rename(old)
        theirs.path.rename(ours.path)
        (old / ours.record_name).unlink()
        shutil.rmtree(old)


def replaced(path: Path) -> Path:
    """The folder of a run while another one takes its place."""
    return path.with_name(f".replaced-{path.name}")


def compare(theirs: Run, ours: Run) -> Literal["equal", "further", "behind", "other"]:
    """How far a run was trained, compared with one of the same id."""
    if theirs.finished and ours.finished:
        return "equal" if theirs.record.weights == ours.record.weights else "other"
    if theirs.finished or ours.finished:
        return "further" if theirs.finished else "behind"
    their_step, their_digest = progress_of(theirs)
    step, digest = progress_of(ours)
    if their_step != step:
        return "further" if their_step > step else "behind"
    return "equal" if their_digest == digest else "other"


def progress_of(run: Run) -> tuple[int, str]:
    """The step of a run's checkpoint, and the digest of its tensors; 0 if it has none."""
    from disentangle.runs.checkpoint import read_progress

    return read_progress(run.checkpoint_path) if run.checkpoint_path.exists() else (0, "")


def add_scores(file: Path, scores: Iterable[Score]) -> Outcome:
    """Add scores to a file of scores; one that is there stays, unless it has no value."""
    new = not file.exists()
    here = () if new else read_record(ScoreFile, file).scores
    values = {meaning(score): score.value for score in here}
    added = {
        key: score
        for score in scores
        if (key := meaning(score)) not in values
        or (values[key] is None and score.value is not None)
    }
    if not added:
        return "already there"
    file.parent.mkdir(parents=True, exist_ok=True)
    others = (score for score in here if meaning(score) not in added)
    united = ScoreFile(scores=(*others, *added.values()))
    write_text(file, united.model_dump_json(indent=2) + "\n")
    return "new" if new else "completed"


def meaning(score: Score) -> str:
    """What a score is, without its value and the circumstances of its computation."""
    return json.dumps(score.model_dump(mode="json", exclude=OWN), sort_keys=True)


def move(source: Path, target: Path) -> None:
    """Move a file or folder to a new path of the same disk, at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
