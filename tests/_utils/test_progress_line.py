"""The line of a count in terminals of any width."""

import io

import pytest
from rich.console import Console

from disentangle._utils import progress_line
from disentangle._utils.progress_line import CountLine


@pytest.fixture
def clock(monkeypatch):
    """Seconds that tests set."""
    seconds = [0.0]
    monkeypatch.setattr(progress_line.time, "monotonic", lambda: seconds[0])
    return seconds


@pytest.fixture
def line(clock):
    """A line after 30 seconds of encoding."""
    counted = CountLine("{done:,} of {total:,} images", "encoding chairs-parametric")
    counted.count(100_000, 1_000_000)
    clock[0] = 30.0
    counted.count(700_000, 1_000_000)
    return counted


def drawn(line, width):
    screen = io.StringIO()
    Console(file=screen, width=width, force_terminal=True, color_system=None).print(line, end="")
    return screen.getvalue()


@pytest.mark.parametrize(
    ("width", "label", "bar"), [(60, False, False), (80, True, False), (120, True, True)]
)
def test_label_and_bar_are_left_out_before_a_number_is_cut(line, width, label, bar):
    text = drawn(line, width)
    assert text.startswith("700,000 of 1,000,000 images  70 %  15 s left")
    assert ("  encoding chairs-parametric" in text) == label
    assert ("━" in text) == bar
    assert len(text.rstrip()) <= width


def test_nothing_is_shown_before_the_first_count_and_after_the_last(line):
    assert drawn(CountLine(), 80) == ""
    line.count(1_000_000, 1_000_000)
    assert drawn(line, 80) == ""


def test_another_total_has_a_time_of_its_own(line, clock):
    line.count(5, 50)
    assert line.left is None
    assert str(line) == "5 of 50 images  10 %  encoding chairs-parametric"
    clock[0] = 31.0
    line.count(10, 50)
    assert line.left == pytest.approx(8)
