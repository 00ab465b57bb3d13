"""Datasets by reference: `shelf:NAME[:SPLIT]`, drawn squares with labels."""

from contextlib import ExitStack

import numpy as np
from PIL import Image

from disentangle import Dataset, Reference, UsageError
from disentangle.data import Examples, Location, prepare_examples
from strangers.dataset import Tiny

COLOURS = ("red", "green", "blue")


def open(location: Location, reference: Reference) -> Dataset:
    """Open the squares; `fixed` ignores the size that the user asks for."""
    reference.check_options("split")
    if reference.name == "fixed":
        return Tiny()
    if reference.name != "squares":
        raise UsageError(f"no '{reference.name}' on the shelf; did you mean 'squares'?")

    def make(stack: ExitStack) -> Examples:
        splits = reference.options.get("split", "train").split("+")
        return Examples(
            parts={split: (lambda split=split: squares(split)) for split in splits},
            source=f"strangers, {reference}",
            columns={"colour": COLOURS, "x": ()},
        )

    return prepare_examples(location, 1, make)


def squares(split):
    for i in range(30 if split == "train" else 15):
        image = np.zeros((20, 20, 3), np.uint8)
        image[5:10, i % 5 :][:, :8, i % 3] = 255
        yield Image.fromarray(image), [i % 3, i % 5 / 4]
