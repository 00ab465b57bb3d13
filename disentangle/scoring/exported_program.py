"""Files of `export` and programs of torch as encoders, which say why they take no images."""

import json
from pathlib import Path
from typing import Any

import torch

from disentangle.errors import DisentangleError, UsageError
from disentangle.exports.networks import SUFFIX, description


def load_program(path: Path) -> Any:
    """Load an exported program as a module that checks the shape of its images."""
    program: Any = torch.export.load(path)
    module = program.module()
    if shape := input_shape(program):

        def check(_: Any, inputs: tuple[Any, ...]) -> None:
            check_images(path, shape, tuple(inputs[0].shape))

        module.register_forward_pre_hook(check, prepend=True)
    return module


def input_shape(program: Any) -> tuple[int | None, ...]:
    """The shape of a program's first input, with None for axes of any size; () if unknown."""
    names = program.graph_signature.user_inputs
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    value = nodes[names[0]].meta.get("val") if names and names[0] in nodes else None
    if not isinstance(value, torch.Tensor):
        return ()
    return tuple(size if isinstance(size, int) else None for size in value.shape)


def check_images(path: Path, expected: tuple[int | None, ...], got: tuple[int, ...]) -> None:
    """Raise a DisentangleError if a program does not take images of this shape."""
    if fits(expected, got):
        return
    shapes = f"expected {in_words(expected)}, got {list(got)}"
    if fits(expected[1:], got[1:]):
        raise DisentangleError(
            f"{path}: takes a fixed number of images: {shapes}. Export it with a first axis of "
            "any size, by `dynamic_shapes`"
        )
    hint = "; if it is a decoder, give the encoder" if path.stem.lower() == "decoder" else ""
    raise DisentangleError(
        f"{path}: the program takes other inputs than images of this dataset: {shapes}{hint}"
    )


def fits(expected: tuple[int | None, ...], got: tuple[int, ...]) -> bool:
    """True if a shape is as expected, where None is any size."""
    return len(expected) == len(got) and all(
        size in (None, other) for size, other in zip(expected, got, strict=True)
    )


def in_words(shape: tuple[int | None, ...]) -> str:
    """A shape as text, with N for a first axis of any size."""
    first, *others = ["any" if size is None else str(size) for size in shape]
    return f"[{', '.join(['N' if first == 'any' else first, *others])}]"


def check_part(path: Path) -> None:
    """Raise if the description that `export` wrote beside a file says that it is a decoder.

    Raises:
        UsageError: it is a decoder; the message names the encoder, or the command that writes it.
    """
    try:
        described = json.loads(description(path).read_text(encoding="utf-8"))
        parts, run = list(described["parts"]), described["run"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # not a file of `export`
    if parts != ["decoder"]:
        return
    encoder = path.with_name(f"encoder{path.suffix}")
    format = {suffix: name for name, suffix in SUFFIX.items()}.get(path.suffix, "pt2")
    remedy = f"give its encoder, `--encoder {encoder}`"
    if path.suffix == SUFFIX["state-dict"]:
        remedy = f"score the run itself, `disentangle score {run}`"
    elif not encoder.is_file():
        remedy = (
            f"write its encoder, `disentangle export {run} -o {path.parent} --format {format} "
            "--part encoder`"
        )
    raise UsageError(f"{path}: the decoder of run {run}, which takes latents, not images; {remedy}")
