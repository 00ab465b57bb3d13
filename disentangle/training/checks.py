"""Checks of a model's contract during training: its loss terms, its code and its images."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from disentangle.contracts.model import Code, Model, Terms
from disentangle.errors import BrokenContract


@contextmanager
def named(whose: str) -> Iterator[None]:
    """Name the plugin in the error if a model breaks its contract."""
    try:
        yield
    except BrokenContract as error:
        raise BrokenContract(f"{whose} cannot be trained: {error}") from error


def term_sets(terms: Terms | tuple[Terms, Terms]) -> tuple[Terms, ...]:
    """The sets of loss terms: the model's, and its opponent's if it has one."""
    return terms if isinstance(terms, tuple) else (terms,)


def checked(sets: tuple[Terms, ...]) -> tuple[Terms, ...]:
    """Validate sets of loss terms and return them.

    Raises:
        BrokenContract: a set is not a mapping of names to scalars.
    """
    for one in sets:
        if not isinstance(one, Mapping):
            raise BrokenContract(
                f"terms() must return a mapping of names to terms, got {type(one).__name__}"
            )
        if not one:
            raise BrokenContract("terms() returned no term: there is nothing to minimise")
        for name, term in one.items():
            if not isinstance(name, str):
                raise BrokenContract(f"the name of a term must be a string, got {name!r}")
            if not isinstance(term, Tensor) or term.ndim:
                actual = list(term.shape) if isinstance(term, Tensor) else type(term).__name__
                raise BrokenContract(
                    f"term '{name}' must be a scalar, got {actual}: take its mean over the batch"
                )
    return sets


def check_networks(model: Model, images: Tensor) -> None:
    """Check that a model encodes images to a code, and decodes the code to images.

    Raises:
        BrokenContract: encode() or decode() returns something else; the message says what.
    """
    model.eval()
    with torch.no_grad():
        code = model.encode(images)
        if not isinstance(code, Code):
            raise BrokenContract(
                "encode() must return a Posterior (or a Code in a Model[Code]), got "
                f"{type(code).__name__}"
            )
        shape = [len(images), model.latents]
        if list(code.mean.shape) != shape:
            raise BrokenContract(
                f"encode() must return a code {shape}, got {list(code.mean.shape)}"
            )
        decoded = model.decode(code.mean)
    model.train()
    if not isinstance(decoded, Tensor) or decoded.shape != images.shape:
        actual = list(decoded.shape) if isinstance(decoded, Tensor) else type(decoded).__name__
        raise BrokenContract(f"decode() must return images {list(images.shape)}, got {actual}")
