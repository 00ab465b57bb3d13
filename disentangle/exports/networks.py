"""The encoder and the decoder of a run as files for other programs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from disentangle._utils.callbacks import Say, silent
from disentangle._utils.files import atomic, check_new, write_json
from disentangle._utils.seeds import torch_rng
from disentangle._utils.tensors import as_input
from disentangle._utils.versions import made_by
from disentangle.errors import DisentangleError, UsageError
from disentangle.exports.archive_format import SUFFIX as ARCHIVE
from disentangle.exports.formats import (
    INPUTS,
    Function,
    Outputs,
    named,
    read_onnx,
    read_pt2,
    read_state,
    write_onnx,
    write_pt2,
    write_state,
)
from disentangle.runs.run import Run
from disentangle.runs.train_command import import_command

SUFFIX = {"onnx": ".onnx", "pt2": ".pt2", "state-dict": ".safetensors"}
IMAGES = 16
"""Images on which a written file is compared with the run."""
OF_CODES = 1e-4
"""Largest difference of codes, relative to the largest of them if that is above 1."""
OF_IMAGES = 0.01
"""Largest difference of decoded images, in [0, 1]; the mean of a continuous Bernoulli is sensitive
to rounding where it is close to 1/2."""


@dataclass(frozen=True)
class Exported:
    """A file of `export`.

    Attributes:
        path: the file; what a network is stands beside it, in `path` with `.json` added.
        differences: output -> its largest absolute difference from the run on the same images;
            empty for an archive.
    """

    path: Path
    differences: Mapping[str, float]


def export_networks(
    run: Run,
    folder: Path,
    *,
    format: str,
    part: str = "both",
    force: bool = False,
    say: Say = silent,
) -> list[Exported]:
    """Write the encoder and the decoder of a finished run to a folder; see `export`."""
    run.check_finished()
    if folder.is_file() or folder.suffix in (ARCHIVE, *SUFFIX.values()):
        raise UsageError(f"{folder}: expected a folder for the files, got the name of a file")
    parts: list[str] = list(INPUTS) if part == "both" else [part]
    files = ["model"] if part == "both" and format == "state-dict" else parts
    paths = [folder / f"{file}{SUFFIX[format]}" for file in files]
    for path in paths:
        check_new(path, force)
        check_new(description(path), force)
    inputs = inputs_of(run, say)
    if files == ["model"]:
        drafts = [draft(run, paths[0], parts, write_state(run.model), inputs)]
    else:
        drafts = [
            draft(run, path, [one], content_of(run, one, format, inputs[one]), inputs)
            for path, one in zip(paths, parts, strict=True)
        ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [one.write() for one in drafts]  # all of them are right
    except OSError as error:
        raise DisentangleError(
            f"{error.filename or folder}: cannot be written: {error.strerror or error}"
        ) from error


def inputs_of(run: Run, say: Say) -> dict[str, Tensor]:
    """Images of the dataset for the encoder, and their codes for the decoder.

    Images are random if the dataset cannot be opened, as on a machine that does not have it.
    """
    shape = run.record.dataset.image_shape
    try:
        index = np.unique(np.linspace(0, len(run.dataset) - 1, IMAGES).astype(np.int64))
        images = as_input(run.dataset.images(index), shape).contiguous()
    except DisentangleError as error:
        say(f"The files are compared with the run on random images, as {error}")
        images = torch.rand(IMAGES, *shape, generator=torch_rng(0, "export"))
    return {"encoder": images, "decoder": run.encode(images)}


def content_of(run: Run, part: str, format: str, example: Tensor) -> bytes:
    """The content of the file of a part.

    Raises:
        DisentangleError: it cannot be exported; the message holds torch's reason.
    """
    module = named(run, part)
    if format == "state-dict":
        return write_state(module.part.model)
    try:
        writer = write_pt2 if format == "pt2" else write_onnx
        return writer(module, INPUTS[part], example)
    except DisentangleError:
        raise
    except Exception as error:  # torch has many exceptions for what it cannot trace
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DisentangleError(
            f"the {part} of '{run.record.model}' cannot be exported as {format}: {reason}. Use "
            "`--format state-dict`, which holds the weights alone"
        ) from error


@dataclass(frozen=True)
class Draft:
    """A file of `export` that is not written yet, and its description."""

    exported: Exported
    content: bytes
    about: Mapping[str, Any]

    def write(self) -> Exported:
        """Write the file and its description."""
        path = self.exported.path
        with atomic(path) as temporary:
            temporary.write_bytes(self.content)
        write_json(description(path), self.about)
        return self.exported


def description(path: Path) -> Path:
    """The JSON file beside an exported file."""
    return path.with_name(f"{path.name}.json")


def draft(
    run: Run, path: Path, parts: list[str], content: bytes, inputs: Mapping[str, Tensor]
) -> Draft:
    """The draft of a file with these parts, if it computes what the run does; see `compare`."""
    differences: dict[str, float] = {}
    outputs: dict[str, Outputs] = {}
    for part in parts:
        outputs[part] = outputs_of(run, part, inputs[part])
        function = function_of(run, path, content, part)
        differences |= dict(compare(path, function, inputs[part], outputs[part]))
    described = about(run, path, inputs, outputs, differences)
    return Draft(Exported(path, differences), content, described)


def outputs_of(run: Run, part: str, x: Tensor) -> Outputs:
    """The outputs of the run itself."""
    if part == "decoder":
        return {"images": run.decode(x)}
    code = run.code(x)
    scale = getattr(code, "scale", None)
    return {"mean": code.mean.cpu()} | ({} if scale is None else {"scale": scale.cpu()})


def function_of(run: Run, path: Path, content: bytes, part: str) -> Function:
    """The function that the content of a file computes."""
    if path.suffix == ".safetensors":
        return read_state(run, content, part)
    return (read_pt2 if path.suffix == ".pt2" else read_onnx)(content, INPUTS[part])


def compare(
    path: Path, function: Function, x: Tensor, expected: Outputs
) -> Iterator[tuple[str, float]]:
    """The largest difference of each output from the run, for one image and for all.

    Raises:
        DisentangleError: a difference is more than rounding.
    """
    with torch.no_grad():
        one, every = function(x[:1]), function(x)
    for name, values in expected.items():
        difference = max(
            float((every[name] - values).abs().max()), float((one[name] - values[:1]).abs().max())
        )
        bound = OF_IMAGES if name == "images" else OF_CODES * max(1, float(values.abs().max()))
        if not difference <= bound:
            raise DisentangleError(
                f"{path}: not written, as its {name} differs from the run's by {difference:.3g}, "
                f"more than {bound:.3g}"
            )
        yield name, difference


def about(
    run: Run,
    path: Path,
    inputs: Mapping[str, Tensor],
    outputs: Mapping[str, Outputs],
    differences: Mapping[str, float],
) -> dict[str, Any]:
    """What a file is: its origin, architecture and settings, and its inputs and outputs."""
    record = run.record
    command = import_command(record, path.name) if path.stem == "model" else None
    return {
        "made_by": made_by(),
        "run": record.id,
        "model": record.model,
        "model_version": record.model_version,
        "network_version": record.network_version,
        "settings": record.knobs,
        "training": record.recipe,
        "dataset": record.dataset.name,
        "fingerprint": record.dataset.fingerprint,
        "weights": record.weights,
        "parts": {
            part: {
                "input": {INPUTS[part]: signature(inputs[part], part == "encoder")},
                "output": {k: signature(v, k == "images") for k, v in values.items()},
            }
            for part, values in outputs.items()
        },
        "largest_difference": dict(differences),
        **({} if command is None else {"import": command}),
    }


def signature(values: Tensor, images: bool) -> str:
    """The type and shape of a tensor with one row per image, as text."""
    shape = ", ".join(map(str, ("N", *values.shape[1:])))
    return f"float32 [{shape}]{' in [0, 1]' if images else ''}"
