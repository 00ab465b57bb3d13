"""A worker: trains and scores one run of a study in its own process.

`python -m disentangle.studies.worker` reads an order, one line of JSON, from standard input. When
the input ends, the parent process is gone, and the worker stops with a checkpoint.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from disentangle._utils.callbacks import Report, Say, silent
from disentangle._utils.time_limit import exit_at_once, within
from disentangle.errors import (
    BrokenContract,
    Busy,
    DisentangleError,
    OutOfTime,
    ScoringFailed,
    TrainingFailed,
    UsageError,
)
from disentangle.studies.jobs import Order
from disentangle.studies.process import AGAIN, BUSY, DONE, FINAL, OUT_OF_TIME

if TYPE_CHECKING:
    from disentangle.runs.run import Run

SLIPS = (
    *(TypeError, ValueError, AttributeError, LookupError, NameError, ImportError),
    *(ArithmeticError, AssertionError, NotImplementedError, SystemExit),
)
"""Errors in a plugin's code that would occur again; a lack of memory or of a file may not."""
GRACE = 30.0
"""Seconds to write a checkpoint after the parent process is gone."""


def work(order: Order, say: Say = silent) -> None:
    """Train or resume a run, and score it.

    Raises:
        Busy: another process is working on this run.
        OutOfTime: the order's deadline is near; a checkpoint was written.
        TrainingFailed: the loss is not finite.
        ScoringFailed: a metric failed; all others were tried.
        DisentangleError: another failure; everything completed so far is kept.
    """
    from disentangle.training.progress import plain
    from disentangle.training.tracking import tracking

    with tracking(Path(order.path), order.track or None, say) as followers:
        run = train_run(order, followers.listening(plain()), say)
        score_all(run, order, say)


def train_run(order: Order, report: Report, say: Say) -> "Run":
    """Train or resume the run of an order; see `work`."""
    from disentangle.training.train import train

    return train(
        order.model,
        order.dataset,
        results=order.results,
        study=order.study,
        device=order.device,
        figures=order.pictures,
        track=(),
        time_limit=order.time_limit,
        report=report,
        say=say,
        **order.options,
    )


def score_all(run: "Run", order: Order, say: Say) -> None:
    """Compute the scores of a trained run.

    Raises:
        ScoringFailed: a metric failed; all others were tried.
        DisentangleError: the run is not the planned one, or scores or figures could not be written.
    """
    from disentangle.scoring.score_runs import score_run

    if str(run.path) != order.path:
        raise UsageError(
            f"expected run {order.path}, got {run.path}: the plugins or the dataset here differ "
            "from those with which the study was planned"
        )
    failures = []
    for asked in order.asked:
        try:
            scores = score_run(run, asked, device=order.device)
        except ScoringFailed as error:
            failures.append(str(error))
            continue
        for name, value in scores.items():
            say(f"{name} {value:.3f} ({asked.protocol})")
        for name, reason in scores.unavailable.items():
            say(f"{name}: n/a: {reason}")
    if run.unwritten:  # perhaps not the next time
        raise DisentangleError("; ".join([*failures, f"not written: {run.unwritten}"]))
    if failures:
        raise ScoringFailed("; ".join(failures))


def main() -> int:
    """Execute one order; return the exit code, and print the error if any."""
    from disentangle._utils.console import say

    order = Order.model_validate_json(sys.stdin.readline())
    threading.Thread(target=stop_when_left, daemon=True).start()

    def whole_order() -> None:
        with within(order.time_limit, "stopped at the time limit; what is complete is kept"):
            set_threads()
            work(order, say)

    return outcome(order, whole_order, say)


def outcome(order: Order, do: Callable[[], None], say: Say) -> int:
    """Do something for an order; return the exit code, and say the error if any.

    Raises:
        Exception: the error is nobody's: neither the user's nor a plugin's.
    """
    from disentangle.contracts.isolation import blame

    try:
        if order.late:
            raise OutOfTime("too little time is left to start")
        do()
    except Busy as error:
        say(f"error: {error}")
        return BUSY
    except (TrainingFailed, ScoringFailed, BrokenContract) as error:
        say(f"error: {error}")
        return FINAL
    except DisentangleError as error:
        say(f"error: {error}")
        return error.exit_code
    except (Exception, SystemExit) as error:
        if not (culprit := blame(error)):
            raise
        say(traceback.format_exc())
        say(f"error: {culprit}")
        return FINAL if isinstance(error, SLIPS) else AGAIN
    return DONE


def set_threads() -> None:
    """Apply OMP_NUM_THREADS to torch."""
    import torch

    if count := os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(count))


def stop_when_left() -> None:
    """Wait until standard input ends, then stop this process with a checkpoint."""
    while os.read(sys.stdin.fileno(), 1):  # holds no lock that blocks the end of the process
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    ended = main()
    if ended == OUT_OF_TIME:
        exit_at_once(ended)
    sys.exit(ended)
