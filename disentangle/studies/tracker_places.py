"""Where users find the runs of several workers at their trackers: what a single training prints."""

import time

from disentangle._utils.callbacks import Say
from disentangle.runs.tracker_records import trackers_of
from disentangle.studies.executor import Event
from disentangle.studies.jobs import Job

LOOK = 1.0
"""Seconds between looks at the runs that are trained."""


class TrackerPlaces:
    """The place of each run at each of its trackers, which is said once.

    A worker's process opens the entry at the tracker, and writes the place beside the run.
    """

    def __init__(self, say: Say) -> None:
        self.say = say
        self.running: list[Job] = []
        self.said: set[tuple[Job, str]] = set()
        self.looked = 0.0

    def look(self, event: Event | None) -> None:
        """Say what is new after an event, or from time to time if there is none."""
        if event is None:
            if time.monotonic() - self.looked >= LOOK:
                self.looked = time.monotonic()
                for job in self.running:
                    self.say_new(job)
        elif event.kind == "started":
            self.running.append(event.job)
        elif event.job in self.running:
            self.say_new(event.job)
            self.running.remove(event.job)

    def say_new(self, job: Job) -> None:
        """Say the places of a run that were not said before."""
        for record in trackers_of(job.path):
            place = job, f"{record.track.partition(':')[0]}: {record.where}"
            if record.where and place not in self.said:
                self.said.add(place)
                self.say(f"{job.name}: {place[1]}")
