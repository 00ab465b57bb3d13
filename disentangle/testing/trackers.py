"""The rules of the tracker contract: a run is sent in two parts, as if it had been resumed."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from disentangle.contracts.tracker import TrackedRun, Tracker, TrackerEntry
from disentangle.testing import knobs as knob_rules
from disentangle.testing.check import (
    Rules,
    Violation,
    fits_a_line,
    lacks_about,
    require,
    says_source,
)
from disentangle.training.tracking import check_trackers, tracker_of

FIRST, LAST = (1, 100, 200), (300, 400)
"""Steps that are logged before the run is stopped, and after it is resumed."""
SETTINGS: dict[str, bool | int | float | str] = {
    "model": "beta-vae",
    "beta": 4.0,
    "steps": 400,
    "augment": False,
    "note": "",
}
SCORES = {"final/mig": 0.25, "final/dci/disentanglement [latents=10, l1=0.5]": 0.5}


def logged(step: int) -> dict[str, float]:
    """What is logged at a step: not the same names at each, and a loss that may be infinite."""
    values = {"loss": 500.0 / step, "values/kl": 1.5, "kl/z0": 0.25, "training/active": 3}
    return values | ({"scores/mig": 0.125} if step % 200 == 0 else {"training/spread": 0.5})


@dataclass(frozen=True)
class Sent:
    """What came of sending a run in two parts.

    Attributes:
        entries: the entries, as the tracker opened them for each part.
        given: mappings that the tracker was given, with what they held.
        files: file of the run -> its content before and after.
    """

    entries: Sequence[TrackerEntry]
    given: Sequence[tuple[Mapping[str, Any], dict[str, Any]]]
    files: Mapping[str, tuple[bytes, bytes | None]]


@dataclass(frozen=True)
class Subject:
    """A tracker, and a function that creates it anew, as each process does.

    Attributes:
        kind: its class.
        create: creates it with its settings.
        track: its name and settings, as users write them; empty for a class.
    """

    kind: type[Tracker]
    create: Callable[[], Tracker]
    track: str

    @cached_property
    def outcome(self) -> Sent | Violation:
        """What came of sending a run, once for all rules."""
        with tempfile.TemporaryDirectory(prefix="tracked-") as folder:
            try:
                return send(self.create, example(Path(folder) / "0123456789"))
            except Violation as violation:
                return violation
            except Exception as error:  # a tracker may raise anything
                return Violation(
                    f"sending a run fails: {type(error).__name__}: {error}. The run was logged at "
                    f"steps {', '.join(map(str, FIRST))} and closed as 'unfinished'; then another "
                    "object opened it again, logged the rest, and got two figures and scores"
                )

    @property
    def sent(self) -> Sent:
        """What came of sending a run."""
        if isinstance(self.outcome, Violation):
            raise self.outcome
        return self.outcome


def send(create: Callable[[], Tracker], run: TrackedRun) -> Sent:
    """Send a run in two parts, each by a tracker of its own."""
    files = {file: file.read_bytes() for file in sorted(run.path.rglob("*.*"))}
    given: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def values(content: Mapping[str, Any]) -> dict[str, Any]:
        given.append((dict(content), dict(content)))
        return given[-1][0]

    def begin(entry: str) -> tuple[Tracker, TrackerEntry]:
        tracker = create()
        opened = tracker.open(replace(run, settings=values(SETTINGS), entry=entry))
        require(
            isinstance(opened, TrackerEntry),
            f"expected open() to return a TrackerEntry, got {type(opened).__name__}: return "
            "TrackerEntry(id, step, where)",
        )
        return tracker, opened

    tracker, first = begin("")
    for step in FIRST:
        tracker.log(step, values(logged(step)))
    tracker.close("unfinished")
    tracker, again = begin(first.id)
    for step in (s for s in (*FIRST, *LAST) if s > again.step):
        tracker.log(step, values(logged(step)))
    for figure in sorted((run.path / "figures").iterdir()):
        tracker.figure(figure, LAST[-1])
    for _ in range(2):  # scores may be sent again
        tracker.scores(values(SCORES), LAST[-1])
    tracker.close("finished")
    after = {file: file.read_bytes() if file.is_file() else None for file in files}
    return Sent(
        entries=(first, again),
        given=given,
        files={str(f.relative_to(run.path)): (files[f], after[f]) for f in files},
    )


def example(path: Path) -> TrackedRun:
    """A folder like that of a run, and the run as a tracker sees it."""
    (path / "figures").mkdir(parents=True)
    for name in ("traversals.png", "traversals.gif"):
        Image.new("L", (8, 8)).save(path / "figures" / name)
    (path / "run.json").write_text(json.dumps({"id": path.name}))
    lines = [json.dumps({"step": step, **logged(step)}) for step in (*FIRST, *LAST)]
    (path / "log.jsonl").write_text("\n".join(lines))
    return TrackedRun(
        path=path,
        id=path.name,
        name="a run: β = 4",
        note="checked by disentangle.testing",
        study="default",
        settings=SETTINGS,
        entry="",
    )


def subject(tracker: str | type[Tracker]) -> Subject:
    """Return the subject of a tracker, given as `NAME:setting=value,...` or as a class."""
    if isinstance(tracker, str):
        kind = type(tracker_of(tracker))
        return Subject(kind, lambda: tracker_of(tracker), tracker)
    return Subject(tracker, tracker, "")


def lacks_name(s: Subject) -> str:
    """Return why a rule about settings as text does not apply; empty if it does."""
    return "" if s.track else "was given as a class"


rules = Rules[Subject]()


@rules
def class_names_its_source(s: Subject) -> None:
    """The class has a docstring, and it or its module cites a source."""
    says_source(s.kind, f"'{s.kind.__name__}'")


@rules.unless(lambda s: lacks_about(s.kind.about))
def about_is_a_line(s: Subject) -> None:
    """`about` describes the plugin in one short line."""
    fits_a_line(s.kind.about)


@rules
def knobs_say_what_they_are(s: Subject) -> None:
    """Knobs have help and valid defaults."""
    knob_rules.say_what_they_are(s.kind)


@rules.unless(lacks_name)
def settings_are_the_same_in_a_record(s: Subject) -> None:
    """The settings in full, as a record keeps them, are those of the same tracker."""
    (track,) = check_trackers([s.track])
    (again,) = check_trackers([track])
    require(
        again == track,
        f"'{track}', as it is written to the record of a run, becomes '{again}' when the run is "
        "resumed: a setting that __post_init__ has changed must not change again",
    )


@rules
def packages_are_listed(s: Subject) -> None:
    """packages() returns the names of packages, one by one."""
    packages = s.create().packages()
    require(
        not isinstance(packages, str) and all(isinstance(name, str) for name in packages),
        f"expected packages() to return names, as in ('mlflow',), got {packages!r}",
    )


@rules
def run_is_sent_in_two_parts(s: Subject) -> None:
    """A run that was stopped and resumed is sent, with figures and scores, without an error."""
    assert s.sent


@rules
def entry_can_be_found_again(s: Subject) -> None:
    """open() returns an entry with an id and a place."""
    for entry in s.sent.entries:
        for field in ("id", "where"):
            text = getattr(entry, field)
            require(
                isinstance(text, str) and bool(text),
                f"expected `{field}` of the entry to be text, got {text!r}: the id opens it again, "
                "and `where` tells the user where to find it",
            )


@rules
def entry_says_how_far_it_came(s: Subject) -> None:
    """A new entry holds no step; one that is opened again holds none, or all that were sent."""
    first, again = s.sent.entries
    require(
        type(first.step) is int and first.step == 0,
        f"expected step 0 of a new entry, got {first.step!r}: it is the last step that it holds",
    )
    require(
        type(again.step) is int and again.step in (0, FIRST[-1]),
        f"opened again after step {FIRST[-1]}, the entry says that it holds steps up to "
        f"{again.step!r}: return {FIRST[-1]}, or begin an empty entry and return 0",
    )


@rules
def values_are_left_as_they_were(s: Subject) -> None:
    """The tracker does not modify the numbers that it is given."""
    for given, copy in s.sent.given:
        require(
            given == copy,
            f"the tracker changes the values that it was given, {copy}, to {given}: work on a copy",
        )


@rules
def files_of_the_run_are_left_as_they_were(s: Subject) -> None:
    """The tracker adds files to the run's folder at most."""
    for file, (before, after) in s.sent.files.items():
        require(
            before == after,
            f"the tracker {'removes' if after is None else 'changes'} {file} of the run: it may "
            "add files in a subfolder of its own",
        )
