"""The pace of a training: whether another step and a checkpoint fit into its time limit."""

from collections.abc import Callable
from typing import Literal

from disentangle._utils.time_limit import Deadline

MARGIN = 3.0
"""Seconds between the last checkpoint of a training and its deadline, for the process to end."""
FIRST = 5
"""Number of steps at the start that are no measure: a model is compiled or recorded in them."""
FADE = 0.995
"""Factor per step by which a slow step loses its weight: to a half after some 140 steps."""


class Pace:
    """Decides after each step of a training what its deadline requires.

    The slowest of the latest steps predicts the next one, as some steps also write the log or a
    checkpoint. How long scores take is not known before the first, so a checkpoint is written
    before each step that ends with scores, which may then be cut short.

    Args:
        deadline: when the process must have ended.
        scores_at: whether scores are due after a step.

    Attributes:
        slowest: the seconds of the slowest step, of which older ones count less.
        scoring: the seconds of the last step that ended with scores.
        saving: the seconds of the slowest checkpoint, of which older ones count less.
    """

    def __init__(self, deadline: Deadline, scores_at: Callable[[int], bool]) -> None:
        self.deadline, self.scores_at = deadline, scores_at
        self.taken, self.slowest, self.scoring, self.saving = 0, 0.0, 0.0, 0.0
        self.last = deadline.clock()

    def after_steps(self, done: int, upcoming: int) -> Literal["", "save", "stop"]:
        """What is needed after a step: nothing, a checkpoint, or a checkpoint and the end.

        Args:
            done: the number of steps done. Recorded steps are taken several at a time, and then
                count as one here.
            upcoming: the number of steps that will be done the next time.
        """
        now = self.deadline.clock()
        took, self.last = now - self.last, now
        self.taken += 1
        if self.scores_at(done):
            self.scoring = took
        elif self.taken > FIRST:
            self.slowest = max(took, FADE * self.slowest)
        scores_next = self.scores_at(upcoming)
        needed = 2 * self.slowest + (self.scoring if scores_next else 0.0) + self.saving
        if self.deadline.at - now < MARGIN + needed:
            return "stop"
        early = self.taken == FIRST  # to learn how long a checkpoint takes
        return "save" if early or scores_next else ""

    def saved(self, seconds: float) -> None:
        """Note how long a checkpoint took to write."""
        self.saving = max(seconds, self.saving / 2)
