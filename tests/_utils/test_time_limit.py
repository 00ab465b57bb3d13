"""Time limits: their spelling, and how a process ends before its deadline."""

import os
import subprocess
import sys
import time

import pytest

from disentangle._utils.time_limit import IMPORTED, Deadline, parse_duration, process_start, within
from disentangle.errors import UsageError

START = """
import sys, time
from disentangle._utils import time_limit
from disentangle.errors import OutOfTime
time_limit.ALARM, time_limit.EXIT = 0.6, 0.3
deadline = time_limit.Deadline(time.time() + 1.0)
try:
    with time_limit.within(deadline, "time is up"):
        {block}
except OutOfTime as error:
    print(error, flush=True)
"""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("12m", 720),
        ("12min", 720),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1.5h", 5400),
        ("2d", 172_800),
        ("1d1h1m1s", 90_061),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "12", "m", "1m1h", "12 minutes", "-1m", "1h30", "1e3s"])
def test_durations_that_are_refused(text):
    with pytest.raises(UsageError, match=r"expected a duration such as 90s, 12m, 1h30m or 2d, got"):
        parse_duration(text)


@pytest.mark.parametrize("limit", ["0s", 0, -3, float("nan"), float("inf"), [], "soon"])
def test_limits_that_are_refused(limit):
    with pytest.raises(UsageError, match="--time-limit: expected"):
        Deadline.after(limit)


def test_deadline_counts_from_the_start():
    assert Deadline.after("2m", start=100.0).at == 220.0
    assert Deadline.after(None) is None
    given = Deadline(7.0)
    assert Deadline.after(given, start=100.0) is given


def test_start_of_a_process_is_before_its_first_line():
    code = "import time; now = time.time(); from disentangle._utils.time_limit import *\n"
    code += "print(now - process_start())"
    before = time.time()
    words = [sys.executable, "-c", code]
    took = float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert -0.05 < took < time.time() - before + 0.05
    assert process_start() <= time.time()


@pytest.mark.parametrize("since_boot", [0.0, 1e9])
def test_start_that_cannot_be_right_is_not_used(since_boot, monkeypatch):
    monkeypatch.setattr(time, "clock_gettime", lambda clock: since_boot)
    assert process_start() == IMPORTED


def run(block):
    """Run a block with a deadline of a second; (exit code, output, seconds)."""
    began = time.monotonic()
    words = [sys.executable, "-c", START.format(block=block)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr, time.monotonic() - began


def test_block_is_interrupted_before_the_deadline():
    code, said, _ = run("time.sleep(60)")
    assert (code, said) == (0, "time is up\n")


def test_plugin_that_catches_all_failures_is_interrupted_too():
    block = "try: time.sleep(60)\n        except Exception: time.sleep(60)"
    assert run(block)[:2] == (0, "time is up\n")


def test_block_that_cannot_be_interrupted_ends_with_its_process():
    block = "while True:\n            try: time.sleep(60)\n            except BaseException: pass"
    code, said, _ = run(block)
    assert (code, said) == (75, "error: time is up\n")


def test_block_that_ends_in_time_is_left_alone():
    before = os.times()
    with within(Deadline(time.time() + 60), "time is up"):
        pass
    assert os.times().elapsed - before.elapsed < 30
    assert run("pass")[:2] == (0, "")


@pytest.mark.parametrize("last", ["print('cleared up', flush=True)", "time.sleep(60)"])
def test_exit_runs_what_clears_up_but_does_not_wait_for_it(last):
    code = "import atexit, time\nfrom disentangle._utils.time_limit import exit_at_once\n"
    code += f"atexit.register(lambda: {last})\nexit_at_once(75)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 75
    assert done.stdout == ("cleared up\n" if "print" in last else "")
