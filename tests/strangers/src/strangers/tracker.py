"""A tracker of somebody else's, https://example.org/diary: a file of lines, for tests."""

import json
import time
from typing import Literal

from disentangle import Tracker, TrackerEntry, knob

Moment = Literal["never", "open", "log", "close"]


class Diary(Tracker):
    """Writes a line of JSON to RUN/diary.jsonl for everything that it is told."""

    about = "A diary in the run's folder"

    fails: Moment = knob(default="never", help="when it raises an error")
    hangs: Moment = knob(default="never", help="when it hangs")

    def open(self, run):
        """Go on after the last step in the file."""
        self.file = run.path / "diary.jsonl"
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        steps = [entry["step"] for entry in map(json.loads, lines) if "step" in entry]
        self.act("open", entry=run.entry, name=run.name, settings=dict(run.settings))
        print("the diary prints")  # which goes to a file of its own
        return TrackerEntry("page 1", max(steps, default=0), f"read {self.file}")

    def log(self, step, values):
        """Write the numbers of a step."""
        self.act("log", step=step, values=values)

    def figure(self, file, step):
        """Write a figure's name."""
        self.act("figure", figure=file.name, at=step)

    def scores(self, values, step):
        """Write the final scores."""
        self.act("scores", scores=values)

    def close(self, state):
        """Write how the run ended."""
        self.act("close", state=state)

    def act(self, moment, **line):
        """Write a line, unless it is the moment to fail or to hang."""
        if self.fails == moment:
            raise ConnectionError("no network.")
        while self.hangs == moment:
            time.sleep(1)
        with self.file.open("a") as file:
            file.write(json.dumps(line) + "\n")
