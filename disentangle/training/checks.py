"""What a model is held to while it trains: its terms, its code, its images, and whose it is."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from disentangle.contracts.model import Code, Model, Terms
from disentangle.errors import BrokenContract


@contextmanager
def named(whose: str) -> Iterator[None]:
    """Say whose model it is that breaks its contract."""
    try:
        yield
    except BrokenContract as error:
        raise BrokenContract(f"{whose} cannot be trained: {error}") from error


def term_sets(terms: Terms | tuple[Terms, Terms]) -> tuple[Terms, ...]:
    """Return the sets of terms: the model's, and its opponent's where it has one."""
    return terms if isinstance(terms, tuple) else (terms,)


def checked(sets: tuple[Terms, ...]) -> tuple[Terms, ...]:
    """Return the sets of terms, if that is what they are.

    Raises:
        BrokenContract: they are no mappings of names to scalars.
    """
    for one in sets:
        if not isinstance(one, Mapping):
            raise BrokenContract(
                f"terms() returned {type(one).__name__}, no mapping of names to terms"
            )
        if not one:
            raise BrokenContract("terms() returned no term: there is nothing to minimise")
        for name, term in one.items():
            if not isinstance(name, str):
                raise BrokenContract(f"a term is called {name!r}, which is no text")
            if not isinstance(term, Tensor) or term.ndim:
                what = list(term.shape) if isinstance(term, Tensor) else type(term).__name__
                raise BrokenContract(
                    f"term '{name}' is {what}, no scalar: take its mean over the batch"
                )
    return sets


def check_networks(model: Model, images: Tensor) -> None:
    """Refuse a model that gives no code of images, or no images of a code.

    Raises:
        BrokenContract: encode() or decode() returns something else; what it was.
    """
    model.eval()
    with torch.no_grad():
        code = model.encode(images)
        if not isinstance(code, Code):
            raise BrokenContract(
                f"encode() returned {type(code).__name__}: it is to be a Posterior, or a Code in a "
                "Model[Code]"
            )
        shape = [len(images), model.latents]
        if list(code.mean.shape) != shape:
            raise BrokenContract(f"encode() gave a code {list(code.mean.shape)}, and not {shape}")
        made = model.decode(code.mean)
    model.train()
    if not isinstance(made, Tensor) or made.shape != images.shape:
        what = list(made.shape) if isinstance(made, Tensor) else type(made).__name__
        raise BrokenContract(f"decode() gave {what}, and not images {list(images.shape)}")
