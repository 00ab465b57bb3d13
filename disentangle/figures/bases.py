"""The bases of traversals: images of the dataset, and samples of the prior."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from disentangle._utils.seeds import numpy_rng, torch_rng
from disentangle.errors import OldSpelling, UsageError, one_per_option
from disentangle.figures.latents import has_prior
from disentangle.runs.run import Run


@dataclass(frozen=True)
class Base:
    """The base of a traversal: latents [D], labels, and the image if the base is an image."""

    label: str
    short: str
    z: Tensor
    image: Tensor | None = None


def default_bases(run: Run) -> tuple[str, ...]:
    """Return the default bases: a random image, the first image and, if possible, two samples."""
    return ("random", "first", "prior:2") if has_prior(run) else ("random", "first")


def draw_prior(run: Run, number: int, purpose: str) -> Tensor:
    """Draw samples of the prior, [number, D], from the stream of the run's seed and this purpose.

    Raises:
        UsageError: the model has no prior.
    """
    if not has_prior(run):
        raise UsageError(
            f"'{run.record.model}' has no prior to sample: its codes have no posterior"
        )
    rng = torch_rng(run.record.seed, purpose)
    return torch.randn((number, run.model.latents), generator=rng)


def current_names(specs: Sequence[str]) -> tuple[str, ...]:
    """Return the specifications with each old name replaced by the new one, and a warning."""
    if any(spec.partition(":")[0] == "seed" for spec in specs):
        warnings.warn("--base seed is now --base random", OldSpelling, stacklevel=3)
    return tuple(re.sub("^seed(?=:|$)", "random", spec) for spec in specs)


def find_bases(run: Run, specs: Sequence[str]) -> list[Base]:
    """Return the bases that these specifications name.

    Args:
        run: the run.
        specs: `random` (an image drawn by the run's seed), `first` (the first image), `prior` (a
            sample of p(z)), each with an optional count (`first:3`), or the index of an image.

    Raises:
        UsageError: an unknown specification, or an image that the dataset does not have.
    """
    bases: list[Base] = []
    for spec in current_names(specs):
        word, _, count = spec.partition(":")
        if count and not (count.isdecimal() and 0 < int(count) <= 20):
            raise UsageError(f"--base {spec}: expected a count from 1 to 20")
        number = int(count or 1)
        if word == "prior":
            for i, sample in enumerate(draw_prior(run, number, "prior"), 1):
                bases.append(Base(f"sample {i} of the prior", f"prior {i}", sample))
            continue
        if word == "random":
            rng_images = numpy_rng(run.record.seed, "seed image")
            indices = rng_images.integers(0, len(run.dataset), number).tolist()
        elif word == "first":
            indices = list(range(number))
        elif word.isdecimal() and not count:
            indices = [int(word)]
        elif "," in spec:
            raise UsageError(f"--base {spec}: {one_per_option('--base', spec.split(','))}")
        else:
            raise UsageError(
                f"--base {spec}: expected random, first or prior, with an optional :COUNT, or the "
                "index of an image"
            )
        for i in indices:
            if i >= len(run.dataset):
                raise UsageError(f"--base {spec}: the dataset has only {len(run.dataset)} images")
            image = run.dataset.images([i])
            name = "random image" if word == "random" else "image"
            bases.append(Base(f"{name} {i}", f"#{i}", run.encode(image)[0], image[0]))
    return bases
