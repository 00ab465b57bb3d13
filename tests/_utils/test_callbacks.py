"""Callbacks that take lines of text."""

from disentangle._utils.callbacks import once


def test_a_line_is_said_once():
    lines = []
    say = once(lines.append)
    for line in ("a", "b", "a"):
        say(line)
    assert lines == ["a", "b"]
