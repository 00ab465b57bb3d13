"""The last entry of a run's log, read without the entries before it."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from disentangle._utils.files import Stamp

LOG = "log.jsonl"
"""The log of a run."""
TAIL = 65_536
"""Bytes to read from the end of a log; they contain its last entry."""


class LogEnd(NamedTuple):
    """What the last entry of a log says, when the log had this stamp."""

    stamp: Stamp | None
    step: int
    collapsed: bool | None
    """True if at most one latent was active, or the codes were constant; None if it is not said."""


def last_entry(path: Path) -> dict[str, Any] | None:
    """The last complete entry of a run's log; None if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL))
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        with suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict) and isinstance(entry.get("step"), int):
                return entry
    return None
