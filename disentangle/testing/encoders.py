"""The rules of the contract of encoders by reference."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from disentangle.contracts import registry
from disentangle.contracts.external_encoder import ExternalEncoder
from disentangle.contracts.references import Reference
from disentangle.scoring.encoder_origin import full_origin
from disentangle.scoring.encoders import FunctionSource, evaluating
from disentangle.testing.check import Rules, require, says_source, undisturbed
from disentangle.testing.examples import Speckle
from disentangle.testing.references import (
    offline,
    parsed,
    refuses_unknown_name,
    refuses_unknown_option,
)

Load = Callable[..., ExternalEncoder]
Shape = tuple[int, int, int]
N = 6
"""Number of images to encode."""


@dataclass(frozen=True)
class Subject:
    """The function that loads an encoder, and a reference to load by it.

    Attributes:
        function: the plugin.
        reference: what it is asked for.
        data: images to encode.
    """

    function: Load
    reference: Reference
    data: Speckle

    def load(self, reference: Reference | None = None) -> ExternalEncoder:
        """Load an encoder without the network, as a user does who has not allowed it."""
        encoder = self.function(reference or self.reference, download=False)
        require(
            isinstance(encoder, ExternalEncoder),
            f"expected load() to return an ExternalEncoder, got {type(encoder).__name__}",
        )
        return replace(encoder, origin={"reference": str(self.reference), **encoder.origin})

    @cached_property
    def encoder(self) -> ExternalEncoder:
        """The encoder."""
        return self.load()

    def source(self, encoder: ExternalEncoder) -> FunctionSource:
        """The codes of the images, as they are scored."""
        return FunctionSource(encoder.function, self.data)

    def codes(self, encoder: ExternalEncoder) -> Any:
        """The codes of a few images."""
        with evaluating(encoder.function, torch.device("cpu")):
            return self.source(encoder).encode(np.arange(N))[0]


def subject(reference: str, load: Load | None, image_shape: Shape) -> Subject:
    """Return the subject of a reference, loaded by the registered plugin if none is given."""
    asked = parsed(reference)
    function = registry.encoders.load(asked.prefix) if load is None else load
    return Subject(function, asked, Speckle({"a": 4, "b": 6}, image_shape=image_shape))


rules = Rules[Subject]()


@rules
def function_names_its_source(s: Subject) -> None:
    """The function that loads it has a docstring, and it or its module cites a source."""
    says_source(s.function, f"'{s.function.__name__}'")


@rules
def network_is_used_only_by_permission(s: Subject) -> None:
    """Nothing is downloaded without `download`."""
    with offline("load()"):
        s.load()


@rules
def unknown_name_is_refused(s: Subject) -> None:
    """A name that does not exist is an error that users can fix."""
    refuses_unknown_name(s.load, s.reference)


@rules
def unknown_option_is_refused(s: Subject) -> None:
    """A misspelt option is an error, not ignored."""
    refuses_unknown_option(s.load, s.reference)


@rules
def origin_says_what_it_is(s: Subject) -> None:
    """`origin` holds text, and identifies the weights."""
    for key, value in s.encoder.origin.items():
        require(
            isinstance(value, str) and bool(value.strip()) and "\n" not in value,
            f"expected origin['{key}'] to be one line of text, got {value!r}",
        )
    origin = full_origin(s.encoder)
    require(
        bool({"file", "weights"} & set(origin)),
        "origin does not say which weights it has, so that another checkpoint would pass as this "
        "encoder: set origin['weights'] to a name and a digest, or to 'no weights'",
    )


@rules
def codes_are_rows_of_numbers(s: Subject) -> None:
    """Images, float32 [N, C, H, W] in [0, 1], become finite codes [N, D]."""
    s.codes(s.encoder)


@rules
def codes_depend_on_the_image_alone(s: Subject) -> None:
    """The code of an image is the same each time, and in any batch."""
    with evaluating(s.encoder.function, torch.device("cpu")):
        instability = s.source(s.encoder).instability()
    require(not instability, instability)


@rules
def images_are_left_as_they_were(s: Subject) -> None:
    """The encoder does not modify the images."""
    images = s.data.images(np.arange(N)).float() / 255
    copy = images.clone()
    with torch.no_grad(), evaluating(s.encoder.function, torch.device("cpu")):
        s.encoder.function(images)
    require(torch.equal(images, copy), "the encoder changes its images in place: work on a copy")


@rules
def loading_again_gives_the_same_codes(s: Subject) -> None:
    """The same reference is the same encoder, with the same origin."""
    again = s.load()
    first, second = full_origin(s.encoder), full_origin(again)
    changed = [key for key in first if second.get(key) != first[key]]
    require(
        not changed,
        f"loaded again, its origin has another '{''.join(changed[:1])}': draw random weights by a "
        "seed, as `random_weights` of disentangle.nn does",
    )
    same = np.allclose(s.codes(again), s.codes(s.encoder), rtol=1e-4, atol=1e-6)
    require(
        same,
        "loaded again, it returns other codes for the same images, though its origin is the same: "
        "draw random weights by a seed, as `random_weights` of disentangle.nn does",
    )


@rules
def nothing_is_printed_or_seeded(s: Subject) -> None:
    """The encoder prints nothing and does not use global generators."""
    s.codes(s.encoder)  # imports what it needs
    remedy = "draw from a generator of your own"
    with undisturbed("load()", remedy):
        s.load()
    with undisturbed("the encoder", remedy):
        s.codes(s.encoder)
