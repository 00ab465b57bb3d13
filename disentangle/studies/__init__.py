"""Studies: many runs described by one file, executed locally or on a cluster, and summarised.

The names here are for executor plugins; `disentangle.sweep` runs a study.
"""

from typing import TYPE_CHECKING

from disentangle._utils.lazy import imported_when_used

if TYPE_CHECKING:
    from disentangle.studies.executor import Event as Event
    from disentangle.studies.executor import Events as Events
    from disentangle.studies.executor import Executor as Executor
    from disentangle.studies.executor import cores as cores
    from disentangle.studies.executor import parse_duration as parse_duration
    from disentangle.studies.jobs import Job as Job
    from disentangle.studies.process import AGAIN as AGAIN
    from disentangle.studies.process import BUSY as BUSY
    from disentangle.studies.process import DONE as DONE
    from disentangle.studies.process import FINAL as FINAL
    from disentangle.studies.process import OUT_OF_TIME as OUT_OF_TIME
    from disentangle.studies.process import PATIENCE as PATIENCE
    from disentangle.studies.process import POLL as POLL
    from disentangle.studies.process import THREADS as THREADS
    from disentangle.studies.process import USAGE as USAGE
    from disentangle.studies.process import attend as attend
    from disentangle.studies.retries import Attempt as Attempt
    from disentangle.studies.retries import Waiting as Waiting
    from disentangle.studies.retries import delay as delay
    from disentangle.studies.retries import progress_marker as progress_marker
    from disentangle.studies.worker import work as work

_HOMES = {
    "AGAIN": "process",
    "Attempt": "retries",
    "BUSY": "process",
    "DONE": "process",
    "Event": "executor",
    "Events": "executor",
    "Executor": "executor",
    "FINAL": "process",
    "Job": "jobs",
    "OUT_OF_TIME": "process",
    "PATIENCE": "process",
    "POLL": "process",
    "THREADS": "process",
    "USAGE": "process",
    "Waiting": "retries",
    "attend": "process",
    "cores": "executor",
    "delay": "retries",
    "parse_duration": "executor",
    "progress_marker": "retries",
    "work": "worker",
}
"""Public name -> module that defines it."""

__all__ = sorted(_HOMES)

__getattr__, __dir__ = imported_when_used(__name__, _HOMES)
