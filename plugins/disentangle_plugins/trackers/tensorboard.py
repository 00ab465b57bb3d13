"""TensorBoard: https://www.tensorflow.org/tensorboard. Event files, written without TensorFlow."""

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from disentangle import TrackedRun, Tracker, TrackerEntry, knob

FLUSH = 10
"""Seconds after which a written number is in the file."""


def folder_of(run: TrackedRun) -> str:
    """The name of a run's subfolder, which no other run has: runs of other results share names."""
    name = run.name if run.name.startswith(run.id) else f"{run.id} {run.name}"
    return re.sub(r"[^\w.=+-]+", "-", name)


class TensorBoard(Tracker):
    """Writes event files, anew from the log whenever a run is opened."""

    about = "TensorBoard: event files in the run's folder"

    folder: str = knob(
        default="", help="folder with a subfolder for each run; empty: RUN/tensorboard"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.folder = self.folder and str(Path(self.folder).expanduser().absolute())

    def packages(self) -> Sequence[str]:
        """Return the packages that are needed."""
        return ("tensorboard",)

    def open(self, run: TrackedRun) -> TrackerEntry:
        """Begin new event files, as the log has everything that the old ones had."""
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        folder = run.path / "tensorboard"
        if self.folder:
            folder = Path(self.folder) / folder_of(run)
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        self.writer = EventFileWriter(str(folder), flush_secs=FLUSH)
        rows = "".join(f"| {name} | {value} |\n" for name, value in run.settings.items())
        self.text("settings", f"| setting | value |\n| --- | --- |\n{rows}")
        return TrackerEntry(run.id, 0, f"tensorboard --logdir {folder}")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write the numbers of a step."""
        self.write(step, [{"tag": name, "simple_value": v} for name, v in values.items()])

    def figure(self, file: Path, step: int) -> None:
        """Write a figure; TensorBoard plays a GIF."""
        from PIL import Image

        with Image.open(file) as image:
            width, height = image.size
        content = {"encoded_image_string": file.read_bytes(), "width": width, "height": height}
        self.write(step, [{"tag": f"figures/{file.name}", "image": content}])

    def scores(self, values: Mapping[str, float], step: int) -> None:
        """Write the final scores, as numbers of the last step."""
        self.log(step, values)

    def close(self, state: str) -> None:
        """Write what is left."""
        self.writer.close()

    def text(self, tag: str, markdown: str) -> None:
        """Write a text, which the tab Text shows."""
        metadata = {"plugin_data": {"plugin_name": "text"}}
        tensor = {"dtype": "DT_STRING", "string_val": [markdown.encode()]}
        self.write(0, [{"tag": tag, "metadata": metadata, "tensor": tensor}])

    def write(self, step: int, values: list[dict[str, Any]]) -> None:
        """Write values of a summary, as fields of TensorBoard's messages."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary(value=[Summary.Value(**value) for value in values])
        self.writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
