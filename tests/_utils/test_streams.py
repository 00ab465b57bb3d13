"""Standard output and error: closed, in another encoding, or ended by their reader."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest

from disentangle._utils.streams import prepare_streams

MAIN = [sys.executable, "-m", "disentangle"]
NOT_UTF8 = os.fsdecode(b"ph\xe9")


@pytest.fixture
def stream(monkeypatch):
    """A function that makes standard output a stream with this encoding, and returns its bytes."""

    def make(encoding):
        content = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding))
        prepare_streams()
        return content

    return make


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [
        ("utf-8", f"β {NOT_UTF8}", "β ph".encode() + b"\xe9"),
        ("ascii", f"β=4 {NOT_UTF8}", b"\\u03b2=4 ph\xe9"),
        ("latin-1", "é→", b"\xe9\\u2192"),
    ],
)
def test_any_text_can_be_printed(stream, encoding, text, expected):
    content = stream(encoding)
    print(text, end="", flush=True)
    assert content.getvalue() == expected


def test_closed_streams_are_open_to_what_is_printed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    prepare_streams()
    print("nowhere", flush=True)
    print("nowhere", file=sys.stderr, flush=True)
    sys.stdout.close()
    sys.stderr.close()


@pytest.mark.slow
@pytest.mark.parametrize("way", [">&-", ">&- 2>&-", "| true"])
def test_results_are_written_if_nobody_reads_standard_output(tmp_path, way):
    codes = np.random.default_rng(0).normal(size=(60, 2))
    np.savez(tmp_path / "a.npz", codes=codes, factors=(codes > 0).astype(int))
    command = " ".join([*MAIN, "score --codes a.npz --metric mig --output s.json", way])
    ended = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    assert "Exception" not in ended.stderr
    assert '"mig"' in (tmp_path / "s.json").read_text()


@pytest.mark.slow
def test_nothing_is_said_if_the_reader_of_standard_output_stops(tmp_path):
    command = " ".join([*MAIN, "list | true"])
    ended = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert ended.stderr == ""


@pytest.mark.slow
def test_error_and_closed_standard_output_are_a_line_each(tmp_path):
    command = " ".join([*MAIN, "score --codes nope.npz >&-"])
    ended = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 1
    closed, error = ended.stderr.splitlines()
    assert closed == "warning: standard output is closed, so results are not shown"
    assert error.startswith("error: cannot use nope.npz")
