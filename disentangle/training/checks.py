"""Checks of a model's contract during training: its loss terms, its code and its images."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor

from disentangle.contracts.model import Code, Model, Term, Terms
from disentangle.errors import BrokenContract

TermSets: TypeAlias = tuple[Mapping[str, Term], ...]
"""The terms of the model, and those of its opponent if it has one."""


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


def checked(sets: tuple[Terms, ...]) -> TermSets:
    """Validate sets of loss terms and return them, each term as a `Term`.

    Raises:
        BrokenContract: a set is not a mapping of names to scalars, or a name occurs twice.
    """
    for one in sets:
        if not isinstance(one, Mapping):
            raise BrokenContract(
                f"terms() must return a mapping of names to terms, got {type(one).__name__}"
            )
        if not one:
            raise BrokenContract("terms() returned no term: there is nothing to minimise")
    terms = tuple({name: as_term(name, term) for name, term in one.items()} for one in sets)
    for names in (
        Counter(name for one in terms for name in one),
        Counter(term.name or name for one in terms for name, term in one.items()),
    ):
        name, count = names.most_common(1)[0]
        if count > 1:
            raise BrokenContract(
                f"two terms have the name '{name}', expected different names for the log"
            )
    return terms


def as_term(name: str, term: Tensor | Term) -> Term:
    """Validate a term of the loss and return it as a `Term`.

    Raises:
        BrokenContract: its name is not a string, or its loss or value is not a scalar.
    """
    if not isinstance(name, str):
        raise BrokenContract(f"the name of a term must be a string, got {name!r}")
    whole = term if isinstance(term, Term) else Term(term, term)
    for number in (whole.loss, whole.value):
        if not isinstance(number, Tensor) or number.ndim:
            actual = list(number.shape) if isinstance(number, Tensor) else type(number).__name__
            raise BrokenContract(
                f"term '{name}' must be a scalar, got {actual}: take its mean over the batch"
            )
    return whole


def detached(term: Term) -> Term:
    """The numbers of a term, without their history of computation."""
    loss = term.loss.detach()
    return Term(loss, loss if term.value is term.loss else term.value.detach(), term.name)


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
