"""Send a run to trackers while it is trained, each from a process of its own.

The process reads the run's folder, so a tracker that fails or hangs never holds up the training:
its process is left to itself until the end, and killed if it does not end in time.
"""

import importlib.util
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from disentangle._utils.callbacks import Report, Say
from disentangle._utils.text import joined
from disentangle.contracts import registry
from disentangle.contracts.entry_points import OWN
from disentangle.contracts.plugin import knobs
from disentangle.contracts.settings import parse_given, parse_spec, resolve
from disentangle.contracts.tracker import Tracker
from disentangle.errors import DisentangleError, TrackingWarning, UsageError, suggestion
from disentangle.runs.tracker_records import read_tracker, trackers_of, write_tracker

COMMAND = (sys.executable, "-P", "-m", "disentangle.training.mirror")
CLOSE = 60.0
"""Seconds for trackers to send what is left after the last step."""
STOP = 8.0
"""The same if training was stopped or failed: whoever stops a process soon kills it."""
SOON = 2.0
"""Seconds of waiting for trackers that are not announced."""
POLL = 0.05
"""Seconds between looks at the processes."""


def tracker_of(track: str) -> Tracker:
    """Create a tracker from its name and settings, such as `wandb:project=mine`.

    Raises:
        UsageError: an unknown tracker or setting, or a package is missing.
    """
    name, text = parse_spec(track)
    if "," in name:
        hint = suggestion(name, registry.trackers.entries, option="--track")
        raise UsageError(f"no tracker '{name}'{hint}")
    entry = registry.trackers.entry(name)
    cls = registry.trackers.load(name)
    for setting in text:
        if setting not in knobs(cls):
            hint = suggestion(setting, knobs(cls))
            raise UsageError(f"tracker '{entry.name}' has no setting '{setting}'{hint}")
    settings = resolve(cls, parse_given(cls, text))
    tracker = cls(**{knob: setting.value for knob, setting in settings.items()})
    for package in tracker.packages():
        if importlib.util.find_spec(package) is None:
            own = f"'{OWN}[{entry.name}]'"
            remedy = f"pip install {own if entry.distribution == OWN else package}"
            raise UsageError(f"tracker '{entry.name}' needs the package {package}. Run `{remedy}`.")
    return tracker


def check_trackers(track: Sequence[str]) -> tuple[str, ...]:
    """Check trackers before a training; return each once, with its settings in full.

    Raises:
        UsageError: see `tracker_of`.
    """
    checked = []
    for given in [track] if isinstance(track, str) else track:
        tracker = tracker_of(given)
        changed = {
            name: getattr(tracker, name)
            for name, knob in knobs(type(tracker)).items()
            if getattr(tracker, name) != knob.default
        }
        name = registry.trackers.true_name(parse_spec(given)[0])
        settings = ",".join(f"{key}={as_text(value)}" for key, value in sorted(changed.items()))
        checked.append(":".join(filter(None, [name, settings])))
    return tuple(dict.fromkeys(checked))


def as_text(value: Any) -> str:
    """The value of a setting as it is written on the command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Follower:
    """A process that sends the run in a folder to a tracker.

    Attributes:
        failed: why it failed; empty if it did not.
    """

    def __init__(self, run: Path, track: str, say: Say) -> None:
        self.run, self.track, self.say = run, track, say
        self.name = track.partition(":")[0]
        self.failed, self.warned, self.text = "", False, b""
        self.process: subprocess.Popen[bytes] | None = None
        try:
            self.process = subprocess.Popen(
                [*COMMAND, str(run.absolute()), track],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # until the run has a folder
                start_new_session=True,  # not interrupted by the terminal
            )
            os.set_blocking(self.stdout.fileno(), False)
        except OSError as error:
            self.failed = f"its process cannot be started: {error.strerror or error}"

    @property
    def stdout(self) -> Any:
        """The pipe on which the process reports."""
        assert self.process is not None
        return self.process.stdout

    def listen(self) -> None:
        """Read what the process has reported, and notice that it ended early."""
        if self.process is None:
            return
        code = self.process.poll()  # before reading: then nothing is missed
        self.text += self.stdout.read() or b""
        *lines, self.text = self.text.split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:  # printed by something that Python imports at its start
                continue
            if "where" in message:
                self.say(f"{self.name}: {message['where']}")
            else:
                self.failed = message["failed"]
        if code and not self.failed:
            ended = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self.failed = f"its process ended ({ended})"

    def tell(self) -> None:
        """Warn once if the tracker failed, with the command that sends the run later."""
        if self.warned or not self.failed:
            return
        self.warned = True
        with suppress(OSError, DisentangleError):  # the warning says it
            if self.run.is_dir():
                record = read_tracker(self.run, self.track)
                write_tracker(self.run, record.model_copy(update={"failed": self.failed}))
        path, track = shlex.quote(str(self.run)), shlex.quote(self.track)
        warnings.warn(
            f"{self.name} failed: {self.failed}. The run is not affected; send it later: "
            f"`disentangle watch {path} --once --track {track}`",
            TrackingWarning,
            stacklevel=2,
        )

    def end(self) -> None:
        """Ask the process to send what is left, and to end."""
        if self.process is not None and self.process.stdin is not None:
            with suppress(OSError):  # it has ended already
                self.process.stdin.write(b"\n")
                self.process.stdin.flush()

    @property
    def running(self) -> bool:
        """True while the process runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self, patience: float) -> None:
        """Kill the process if it still runs, which is a failure after these seconds."""
        if self.process is None:
            return
        late = self.running
        self.listen()
        if late:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # its children too
            self.process.wait()
            self.failed = self.failed or f"it did not end within {patience:.0f} s"
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self.process = None


class Followers:
    """The processes that send a run to its trackers; none if it has no tracker."""

    def __init__(self, followers: Sequence[Follower]) -> None:
        self.followers = followers

    def listen(self) -> None:
        """Pass on what the processes have reported."""
        for follower in self.followers:
            follower.listen()
            follower.tell()

    def listening(self, report: Report) -> Report:
        """Wrap a report so that it also passes on what the processes have reported."""

        def listened(step: int, steps: int, entry: dict[str, Any] | None) -> None:
            report(step, steps, entry)
            if entry is not None:
                self.listen()

        return listened if self.followers else report

    @property
    def failed(self) -> list[str]:
        """Which trackers failed, and why."""
        return [f"{one.name}: {one.failed}" for one in self.followers if one.failed]


@contextmanager
def tracking(
    run: Path,
    track: Sequence[str] | None,
    say: Say,
    *,
    patience: float | None = None,
    warn: bool = True,
) -> Iterator[Followers]:
    """Send a run to trackers while a block trains and scores it.

    Args:
        run: the run's folder, which may not exist yet.
        track: checked trackers; None for those to which it was sent before.
        say: called with the place of each entry.
        patience: seconds to wait for trackers at the end [default: 60].
        warn: False if the caller reports `Followers.failed`.
    """
    chosen = recorded_trackers(run) if track is None else track
    followers = [Follower(run, one, say) for one in chosen]
    limit = STOP
    try:
        yield Followers(followers)
        limit = CLOSE if patience is None else patience
    finally:
        for follower in followers:
            follower.end()
        try:
            wait_for(followers, limit, say)
        finally:  # also after an interrupt
            for follower in followers:
                follower.stop(limit)
            for follower in followers if warn else ():
                follower.tell()


def wait_for(followers: Sequence[Follower], seconds: float, say: Say) -> None:
    """Wait until the processes have ended, at most some seconds."""
    began, announced = time.monotonic(), False
    while running := [follower.name for follower in followers if follower.running]:
        waited = time.monotonic() - began
        if waited >= seconds:
            return
        if waited >= SOON and not announced:
            say(f"waiting for {joined(running)}")
            announced = True
        time.sleep(POLL)


def recorded_trackers(run: Path) -> list[str]:
    """The trackers to which a run was sent before; one that cannot be used here is warned about."""
    usable = []
    for record in trackers_of(run):
        try:
            tracker_of(record.track)
            usable.append(record.track)
        except DisentangleError as error:
            warnings.warn(f"{run}: not tracked: {error}", TrackingWarning, stacklevel=2)
    return usable
