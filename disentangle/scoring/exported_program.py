"""Exported programs of torch as encoders, which say what they take if it is not the images."""

import json
from pathlib import Path
from typing import Any

import torch

from disentangle.errors import DisentangleError
from disentangle.exports.networks import description


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
    what = "this is a decoder, which" if is_decoder(path) else "the program"
    hint = "; give the encoder" if is_decoder(path) else ""
    raise DisentangleError(
        f"{path}: {what} takes other inputs than images of this dataset: {shapes}{hint}"
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


def is_decoder(path: Path) -> bool:
    """True if the name of the file, or the description that `export` wrote beside it, says so."""
    try:
        parts = json.loads(description(path).read_text(encoding="utf-8"))["parts"]
    except (OSError, ValueError, KeyError, TypeError):
        return path.stem.lower() == "decoder"
    return "decoder" in parts and "encoder" not in parts
