"""Slurm's commands: what they print, and errors that say what to do."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from disentangle import DisentangleError, UsageError
from disentangle.studies import parse_duration

SHORTEST = 5
"""Minutes of the shortest time limit: the start and the warning must fit into it."""
LOST = (
    r"authenti|credential|munge|contact|connect|configuration (file|source)|timed out|not respond|"
    r"no such file"
)
"""Words of messages of a Slurm that cannot be reached."""
REMEDIES = {
    "account": "`sacctmgr show associations user=$USER` lists your accounts",
    "partition": "`sinfo -s` lists the partitions",
    "qos": "`sacctmgr show associations user=$USER` lists what you may use",
    "feature": "`sinfo -o '%P %f'` lists the features of nodes",
    "generic resource": "`sinfo -o '%P %G'` lists the GPUs of nodes",
    "node configuration": "`sinfo -o '%P %c %m %G'` lists cores, memory and GPUs of nodes",
}
"""Words of Slurm's refusals -> what to do."""


def load_submitit() -> Any:
    """Import submitit.

    Raises:
        DisentangleError: it is not installed.
    """
    try:
        import submitit
    except ImportError as error:
        raise DisentangleError(
            "the executor 'slurm' needs the package submitit. "
            "Run `pip install 'disentangle-bench[slurm]'`."
        ) from error
    return submitit


def slurm_command(*words: str, script: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a command of Slurm; one that is not installed fails like any other."""
    try:
        return subprocess.run(words, input=script, capture_output=True, text=True, check=False)
    except OSError as error:
        return subprocess.CompletedProcess(words, 1, "", f"{words[0]}: {error.strerror}")


def accounted_state(number: str) -> str:
    """The state of an ended job that the queue no longer holds; empty if it is not recorded."""
    words = ("sacct", "--noheader", "--allocations", "--parsable2", "--format=State")
    return slurm_command(*words, f"--jobs={number}").stdout.strip().partition("\n")[0]


def reason(output: str) -> str:
    """The reason in what a command of Slurm printed on standard error: its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no reason given"]
    why = re.sub(r"^(\w+: )?(error|fatal|allocation failure|\w+ error): ", "", lines[-1])
    return why.removeprefix("Batch job submission failed: ")


def may_change(output: str) -> bool:
    """True if Slurm may accept later what it refuses now, as nodes are down or a queue is full."""
    return not re.search(f"invalid|unrecognized|unknown|{LOST}", reason(output), re.IGNORECASE)


def refusal(output: str) -> DisentangleError:
    """The error for what a command of Slurm printed on standard error."""
    why = reason(output)
    if re.search(LOST, why, re.IGNORECASE):
        return DisentangleError(
            f"Slurm does not answer: {why}. If `sinfo` fails too, log in again or ask the support "
            "of the cluster. Jobs that were submitted go on."
        )
    remedy = next((f"; {REMEDIES[word]}" for word in REMEDIES if word in why.lower()), "")
    return UsageError(f"Slurm refuses these jobs: {why}{remedy}")


def minutes_of(limit: str) -> int:
    """The minutes of a time limit: a duration, Slurm's D-HH:MM:SS, or a number of minutes.

    Raises:
        UsageError: it is not a time, or too short.
    """
    if match := re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", limit):
        total = int(match[1] or 0) * 1440 + int(match[2]) * 60 + int(match[3]) + int(match[4]) / 60
    else:
        minutes = re.fullmatch(r"\d+(\.\d+)?", limit)
        try:
            total = parse_duration(f"{limit}m" if minutes else limit) / 60
        except UsageError:
            raise UsageError(
                f"expected a time such as 90m, 4h, 2d or 1-12:00:00, got time={limit}"
            ) from None
    if total < SHORTEST:
        raise UsageError(f"expected a time of at least {SHORTEST}m, got time={limit}")
    return int(total)


@contextmanager
def outside_of_a_job() -> Iterator[None]:
    """Hide the variables of the Slurm job in which this process runs: a new job inherits them."""
    hidden = {
        name: os.environ.pop(name)
        for name in list(os.environ)
        if name.startswith(("SLURM_", "SRUN_", "SUBMITIT_")) and name != "SLURM_CONF"
    }
    try:
        yield
    finally:
        os.environ.update(hidden)
