"""Measuring in several processes."""

import subprocess
import sys

import pytest

SCRIPT = """
import disentangle

print(disentangle.audit(["sap-r2"], cases=["noise"], quick=True, jobs=2))
"""


@pytest.mark.slow
def test_a_script_needs_no_guard_to_use_several_processes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    result = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert result.stdout == "<Audit of sap-r2; fails: nothing>\n", result.stderr
