"""What trains and scores one run of a study, in a process of its own.

`python -m disentangle.studies.worker` reads an order, a line of JSON, from its standard input. When
that input ends it stops, with a checkpoint: whoever gave the order is then gone.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable

from disentangle.errors import (
    BrokenContract,
    Busy,
    DisentangleError,
    ScoringFailed,
    TrainingFailed,
    UsageError,
)
from disentangle.studies.jobs import Order
from disentangle.studies.process import AGAIN, BUSY, DONE, FINAL

SLIPS = (
    *(TypeError, ValueError, AttributeError, LookupError, NameError, ImportError),
    *(ArithmeticError, AssertionError, NotImplementedError, SystemExit),
)
"""What a plugin's own code does wrong, and would again; memory or a file may be there next time."""
GRACE = 30.0
"""Seconds for a checkpoint, once nobody waits for this process any more."""


def work(order: Order, say: Callable[[str], None] = lambda text: None) -> None:
    """Train a run, or what is left of it, and score it.

    Raises:
        Busy: another process is at this run.
        TrainingFailed: its loss is not finite.
        ScoringFailed: a metric failed; all others were tried.
        DisentangleError: something else went wrong; what was whole is kept.
    """
    from disentangle._utils.console import plain
    from disentangle.scoring.score_runs import score_run
    from disentangle.training.train import train

    run = train(
        order.model,
        order.dataset,
        results=order.results,
        study=order.study,
        device=order.device,
        figures=order.pictures,
        report=plain(),
        say=say,
        **order.options,
    )
    if str(run.path) != order.path:
        raise UsageError(
            f"{order.path} was planned, and {run.path} was trained: the plugins or the dataset "
            "here are others than where the study was planned"
        )
    failures = []
    for asked in order.asked:
        try:
            found = score_run(run, asked, device=order.device)
        except ScoringFailed as error:
            failures.append(str(error))
            continue
        for name, value in found.items():
            say(f"{name} {value:.3f} ({asked.protocol})")
        for name, reason in found.unavailable.items():
            say(f"{name}: n/a: {reason}")
    if failures:
        raise ScoringFailed("; ".join(failures))


def main() -> int:
    """Do one order; return an exit code that says how it went, and print why."""
    from disentangle._utils.console import say
    from disentangle.contracts.isolation import blame

    order = Order.model_validate_json(sys.stdin.readline())
    threading.Thread(target=stop_when_left, daemon=True).start()
    set_threads()
    try:
        work(order, say)
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
        if not (whose := blame(error)):
            raise
        traceback.print_exc()
        say(f"error: {whose}")
        return FINAL if isinstance(error, SLIPS) else AGAIN
    return DONE


def set_threads() -> None:
    """Use as many threads as the environment says, in torch too."""
    import torch

    if count := os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(count))


def stop_when_left() -> None:
    """Wait until standard input ends; then stop this process, with a checkpoint."""
    while os.read(sys.stdin.fileno(), 1):  # no lock is held that the end of the process needs
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
