"""Weights & Biases: https://wandb.ai. Online, or in files that `wandb sync` sends later."""

import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from disentangle import TrackedRun, Tracker, TrackerEntry, knob

PATIENCE = 30
"""Seconds to wait for the server when a run is opened."""


class WandB(Tracker):
    """Creates a run in a project; a run that is resumed continues it.

    Weights & Biases cannot resume a run offline: of two files of one run, the one that is sent
    later replaces the other. So a run that is resumed offline begins a new file, with everything
    that is in the log.
    """

    about = "Weights & Biases, online or offline"

    project: str = knob(default="disentangle", help="the project")
    entity: str = knob(default="", help="user or team; empty: your default one")
    mode: Literal["auto", "online", "offline"] = knob(
        default="auto", help="offline writes files only; auto: as WANDB_MODE says, else online"
    )
    group: str = knob(default="", help="group of runs; empty: the study")
    tags: str = knob(default="", help="tags, separated by +")

    def packages(self) -> Sequence[str]:
        """Return the packages that are needed."""
        return ("wandb",)

    def open(self, run: TrackedRun) -> TrackerEntry:
        """Create a run with its settings, or continue it after the last step that it has."""
        import wandb

        identity = run.entry or uuid.uuid4().hex[:12]
        mode: Any = os.environ.get("WANDB_MODE", "online") if self.mode == "auto" else self.mode
        offline = mode == "offline"
        if offline:
            for old in (run.path / "wandb").glob(f"offline-run-*-{identity}"):
                shutil.rmtree(old)
        self.run: Any = wandb.init(
            project=self.project,
            entity=self.entity or None,
            name=run.name,
            notes=run.note or None,
            id=identity,
            dir=run.path,
            group=self.group or run.study,
            tags=self.tags.split("+") if self.tags else None,
            config=dict(run.settings),
            mode=mode,
            resume=None if offline else "allow",
            settings=wandb.Settings(
                silent=True, console="off", disable_code=True, init_timeout=PATIENCE
            ),
        )
        where = f"wandb sync {Path(self.run.dir).parent}" if offline else str(self.run.url)
        return TrackerEntry(identity, max(0, self.run.starting_step - 1), where)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log the numbers of a step."""
        self.run.log(dict(values), step=step)

    def figure(self, file: Path, step: int) -> None:
        """Log a figure with the last step, or after it if the run was opened again."""
        import wandb

        video = file.suffix == ".gif"
        media = wandb.Video(str(file), format="gif") if video else wandb.Image(str(file))
        self.run.log({f"figures/{file.name}": media}, step=max(step, self.run.step))

    def scores(self, values: Mapping[str, float], step: int) -> None:
        """Set the final scores in the run's summary."""
        self.run.summary.update(dict(values))

    def close(self, state: str) -> None:
        """Send what is left, and mark the run as finished or not."""
        import wandb

        self.run.finish(exit_code=0 if state == "finished" else 1)
        wandb.teardown()  # waits for the process that writes the file
