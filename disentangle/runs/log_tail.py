"""The last entry of a run's log, read without the entries before it."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

TAIL = 65_536
"""Bytes to read from the end of a log; they contain its last entry."""


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
