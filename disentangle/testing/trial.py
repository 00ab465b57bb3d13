"""A model under test: built with its defaults, and given a few random images."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from unittest import SkipTest

import numpy as np
import torch
from torch import Tensor

from disentangle._utils.seeds import initialising, numpy_rng, torch_rng
from disentangle.contracts import registry
from disentangle.contracts.dataset import Index
from disentangle.contracts.model import Batch, Model, Term, Terms
from disentangle.data.pairs import changed_factors
from disentangle.testing.check import require
from disentangle.testing.examples import Speckle
from disentangle.training.checks import term_sets
from disentangle.training.labelled import draw_labelled, in_turn, scaled_labels

Shape = tuple[int, int, int]
N = 6
"""Number of images in a batch."""


@dataclass(frozen=True)
class Subject:
    """A model class, and images to check it on."""

    kind: type[Model]
    name: str
    data: Speckle

    def build(self, seed: int = 0) -> Model:
        """Build a model with its defaults, and weights drawn by a seed."""
        model = self.kind()
        with initialising(seed):
            model.build(self.data.image_shape)
        return model.float()

    def batch(self, model: Model, copies: int = 1, step: int = 3, images: int = N) -> Batch:
        """Return a batch of the same few images, repeated, with pairs if the model needs them."""
        index = np.tile(np.arange(images), copies)
        labelled = draw_labelled(self.data, min(model.labelled_images(), len(self.data)), seed=0)
        if len(labelled):
            pair: Index | None = in_turn(labelled, 0, images)
        else:
            pair = model.pair(self.data, np.arange(images), numpy_rng(0, "pairs"))
        second = changed = labels = None
        if pair is not None:
            second = self.images(np.tile(pair, copies))
            if model.reads_changed:
                changed = torch.from_numpy(changed_factors(self.data, index, np.tile(pair, copies)))
            if len(labelled):
                labels = torch.from_numpy(scaled_labels(self.data, np.tile(pair, copies)))
        return Batch(
            x=self.images(index),
            step=step,
            steps=10,
            dataset_size=len(self.data),
            rng=torch_rng(0, "noise"),
            pair=second,
            changed=changed,
            labels=labels,
        )

    def images(self, index: Index) -> Tensor:
        """Return images in [0, 1]."""
        return self.data.images(index).float() / 255


def subject(model: str | type[Model], image_shape: Shape) -> Subject:
    """Return the subject of a model that is given by name or as a class."""
    kind = registry.models.load(model) if isinstance(model, str) else model
    data = Speckle({"a": 2, "b": 3, "c": 4}, image_shape=image_shape)
    if not isinstance(data, kind.needs):
        raise SkipTest(f"the model needs a {kind.needs.__name__}, and there is no example of it")
    return Subject(kind, model if isinstance(model, str) else "", data)


def values(model: Model, batch: Batch) -> list[dict[str, float]]:
    """Return the sets of terms as numbers; raise unless each is a finite scalar."""
    return [dict(numbers(terms)) for terms in sets(model, batch)]


def numbers(terms: Terms) -> Iterator[tuple[str, float]]:
    """Yield what each term adds to the loss, and the quantity that it weighs."""
    for name, term in terms.items():
        if isinstance(term, Term):
            yield name, scalar(name, term.loss)
            yield f"{name}, unweighted", scalar(f"{name}, unweighted", term.value)
        else:
            yield name, scalar(name, term)


def sets(model: Model, batch: Batch) -> tuple[Terms, ...]:
    """Return the sets of terms; raise unless each is a mapping."""
    returned = term_sets(model.terms(batch))
    for terms in returned:
        require(
            isinstance(terms, Mapping),
            f"terms() returns {type(terms).__name__}: return terms by name; their sum is the loss",
        )
    return returned


def slopes(model: Model, batch: Batch) -> dict[str, float]:
    """Return the size of each term's gradient; raise unless it is finite."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    found = {}
    for name, term in chain(*(terms.items() for terms in sets(model, batch))):
        loss = term.loss if isinstance(term, Term) else term
        scalar(name, loss)
        gradients = (
            torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
            if loss.requires_grad
            else ()
        )
        found[name] = sum(float(g.abs().sum()) for g in gradients if g is not None)
        require(
            math.isfinite(found[name]),
            f"the gradient of term '{name}' is {found[name]} in a batch of {len(batch.x)}: set "
            "`min_batch` to the fewest images that it needs, as in `min_batch = 2`",
        )
    return found


def scalar(name: str, term: Tensor) -> float:
    """Return a term as a number; raise unless it is a finite scalar."""
    form = f"a tensor {list(term.shape)}" if isinstance(term, Tensor) else type(term).__name__
    require(
        form == "a tensor []",
        f"expected term '{name}' to be one number, got {form}: average it over the batch, as in "
        "q.kl().sum(1).mean()",
    )
    require(
        bool(term.isfinite()),
        f"term '{name}' is {term.item()} on random images before training: look for a logarithm "
        "of 0 or a division by 0",
    )
    return term.item()
