"""Run the code blocks of the README and the documentation on a tiny dataset."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

from disentangle.contracts import registry
from disentangle.score_tables.published import papers_of
from disentangle.scoring import protocol
from disentangle.scoring.metric_spec import choose
from disentangle.studies.plan import load_plan
from disentangle.studies.study_file import dataset_of, expand, parse_study
from disentangle.training.configuration import ModelRequest

ROOT = Path(__file__).parents[2]
SHRINK = (
    ("shape=heart,scale>=0.8", "side=2,x>=1"),
    ("orientation in 0..1.6", "x in 0..1"),
    ("shape,scale", "side,x"),
    ("chairs-parametric", "tiny"),
    ("dsprites", "tiny"),
    ("data prepare tiny", "data prepare dsprites"),
    ("data verify tiny", "data verify dsprites"),
    ("--batch-size 32 --steps 9000", "--steps 3 --batch-size 8"),
    ("--steps 3000", "--steps 3 --batch-size 8"),
    ("--steps 4000 --seeds 0..2", "--steps 20 --batch-size 8 --seeds 0..1 --no-figures"),
    ("--steps 4000", "--steps 20 --batch-size 8"),
    ("--steps 5000", "--steps 3 --batch-size 8"),
    ("steps=5000", "steps=3, batch_size=8"),
    ("steps = 5000", "steps = 3\nbatch_size = 8"),
    ("200_000", "70"),
    ("500000", "50"),
    ("12000", "12"),
    ("1000", "10"),
    ("torchvision:resnet18 --download", "torchvision:resnet18:weights=none"),
    ("torchvision:resnet18:weights=none ", "torchvision:resnet18:weights=none,size=32 "),
)
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHELL = re.compile(r"[|><;&]|^\s*(for|if|while)\b", re.MULTILINE)
"""Matches shell syntax: a block that contains it runs in a shell, not line by line."""
CAPTURED = re.compile(r"(\w+)=\$\((disentangle .*)\)")


class Block(NamedTuple):
    """A code block: its language, its text, and the file named in its title, if any."""

    kind: str
    text: str
    file: str = ""


def shrunk(text: str) -> str:
    """Replace datasets, steps and large numbers in code by tiny ones."""
    for large, small in SHRINK:
        text = text.replace(large, small)
    return text


def blocks_of(page: str) -> list[Block]:
    """The code blocks of a page, in order."""
    blocks = []
    for kind, options, text in BLOCK.findall(page):
        title = re.search(r'title="([^"]+)"', options)
        blocks.append(Block(kind, text, title[1] if title else ""))
    return blocks


def commands_of(text: str) -> list[str]:
    """The `disentangle` commands, also those whose output is captured, with line breaks joined."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("disentangle ") or CAPTURED.match(line)]


class Shell:
    """Runs the blocks of one page in order in one folder, as a reader would.

    Commands run in this process, because starting a process takes seconds; blocks with shell syntax
    run in a shell.
    """

    def __init__(self, command, folder, module):
        self.command, self.folder, self.variables = command, folder, {}
        self.names = module.__dict__
        self.printed = ""

    def run(self, block):
        text = shrunk(block.text)
        if block.file:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if block.kind == "sh":
            self.script(text) if SHELL.search(bare(text)) else self.lines(text)
        elif block.kind == "python" and not block.file:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(text, "page", "exec"), self.names)
            self.printed += printed.getvalue()

    def lines(self, text):
        for line in commands_of(text):
            captured = CAPTURED.match(line)
            words = shlex.split(captured[2] if captured else line, comments=True)
            code, out, err = self.command(*(self.filled(word) for word in words[1:]))
            broken = "plugins have problems" in err  # the test plugins are broken on purpose
            assert code == 0 or broken, (line, err)
            if captured:
                self.variables[captured[1]] = out.strip()
            self.printed += out

    def filled(self, word):
        return re.sub(r"\$\{?(\w+)\}?", lambda name: self.variables[name[1]], word)

    def script(self, text):
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        result = subprocess.run(
            ["sh", "-eu", "-c", text],
            cwd=self.folder,
            env={**os.environ, "PATH": path, **self.variables},
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, (text, result.stderr)
        self.printed += result.stdout


def bare(text):
    """Strip quoted text, comments and captured commands from a script."""
    text = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"|#.*", "", text)
    return re.sub(CAPTURED, "", text)


def check_presets(text: str, file: Path) -> None:
    """Check that a study uses each preset with models and datasets that it has."""
    study = parse_study(text, file)
    for block in study.runs:
        for run in expand({**study.defaults, **block}, file.name):
            model, dataset, preset = run.pop("model"), run.pop("dataset"), run.pop("preset", None)
            ModelRequest.of(model, run, preset).paper(dataset_of(dataset, file)["name"])


def check_toml(text, folder):
    """Check that a TOML block is a valid study, protocol, paper or part of a pyproject.toml."""
    content = tomllib.loads(text)
    if "project" in content:
        groups = {f"disentangle.{group.kind}s" for group in registry.groups}
        named = content["project"].get("entry-points", {})
        assert {name for name in named if name.startswith("disentangle.")} <= groups
    elif "runs" in content or "runs_of" in content:
        file = folder / "study.toml"
        check_presets(text, file)  # here, as no paper has the tiny dataset
        file.write_text(re.sub(r"(?m)^preset = .*$", "", shrunk(text)))
        plan = load_plan(file, results=folder / "planned", device="cpu")
        assert plan.jobs or plan.absent
    elif "tables" in content:
        papers_of(content)
    else:
        choose(None, protocol.parse("mine", text.encode(), "mine.toml"))
