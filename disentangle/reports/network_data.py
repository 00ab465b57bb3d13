"""The networks of a run as data for its page, compared with the run before they are used."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn

from disentangle._utils.seeds import numpy_rng, torch_rng
from disentangle._utils.tensors import as_input
from disentangle.contracts.model import Posterior
from disentangle.nn import likelihoods
from disentangle.reports.page_functions import (
    Layer,
    NotFinite,
    Shape,
    UnknownLayer,
    rounded,
    run_layers,
    shape_after,
)
from disentangle.reports.page_layers import layers_of
from disentangle.runs.run import Run

LIMIT = 3.0
"""The largest size of the networks in a page, in MB."""
SAMPLES = 8
"""The images, and the samples of latents of each sort, on which networks are compared."""
BEYOND = 1.5
"""Latents are compared in a range this many times that of their traversals."""
OF_PIXELS = 2e-3
"""The largest difference of a pixel in [0, 1]."""
OF_LATENTS = 1e-2
"""The largest difference of a latent, relative to the largest of them if that is above 1."""
OF_CONTINUOUS = 1e-2
"""As `OF_PIXELS`, for the mean of a continuous Bernoulli: torch's own rounding makes 3e-3 of it."""
MB = 1e6
BYTES = 2 * 4 / 3
"""Bytes of a weight of 16 bits in base64."""
FLIPPED = 0.05
"""The largest share of quantised latents that may differ: rounding decides between two values."""
MEANS: dict[type[likelihoods.Likelihood], str] = {
    likelihoods.Bernoulli: "sigmoid",
    likelihoods.Gaussian: "sigmoid",
    likelihoods.LearnedGaussian: "sigmoid",
    likelihoods.ContinuousBernoulli: "continuous-bernoulli",
}
"""Likelihood -> the kind of layer that computes its mean."""
HELP = (
    "A module can name layers that compute the same in a method `page_layers`, and a model in "
    "`page_decoder` and `page_encoder`."
)


class Different(Exception):
    """The layers of a network compute something else than the run does."""


class TooLarge(Exception):
    """A network takes more than the size that is left for it, both in MB."""

    def __init__(self, megabytes: float, room: float) -> None:
        super().__init__()
        self.megabytes, self.room = megabytes, room


def live_networks(run: Run, limit: float = LIMIT) -> dict[str, Any]:
    """The networks of a run for its page: `decoder` and `encoder`, or None and the reason in `why`.

    A network is in the page only if its layers, with weights rounded to 16 bits, compute
    what `Run.decode` or `Run.encode` does.

    Args:
        run: a run with a checkpoint.
        limit: the largest size of the networks in the page, in MB; the decoder comes first.
    """
    data: dict[str, Any] = {"image_shape": list(run.record.dataset.image_shape), "why": {}}
    room = limit
    for part, make in (("decoder", decoder_of), ("encoder", encoder_of)):
        try:
            data[part] = make(run, room)
            room -= len(data[part]["weights"]) / MB
        except Exception as error:  # a stranger's module can raise anything
            data[part] = None
            data["why"][part] = f"The {part} is not in this page: {reason_of(error, limit)}"
    return data


def reason_of(error: Exception, limit: float) -> str:
    """Why a network is not in a page, and what to do, in sentences."""
    if isinstance(error, TooLarge):
        most = f"{limit:g} MB" if error.room == limit else f"the {error.room:.1f} MB that are left"
        more = ceil(limit - error.room + error.megabytes)
        return (
            f"its weights take {error.megabytes:.1f} MB, more than {most}. "
            f"Run `disentangle report RUN --network-limit {more}` to include it."
        )
    text = " ".join(str(error).split())
    if isinstance(error, NotFinite):
        return f"{text}."
    if not isinstance(error, UnknownLayer | Different):
        text = f"{type(error).__name__}: {text}"
    return f"{text}. {HELP}"


def decoder_of(run: Run, room: float) -> dict[str, Any]:
    """The page data of a run's decoder: latents [D] to the expected image [C, H, W] in [0, 1].

    Raises:
        UnknownLayer: a page cannot run one of its layers.
        TooLarge: it takes more than `room`, in MB.
        Different: its layers compute other images than the run.
    """
    model, shape = run.model, (run.model.latents,)
    kind = MEANS.get(type(model.observation))
    if kind is None:
        raise UnknownLayer(f"likelihood `{type(model.observation).__name__}` is unknown")
    layers = [*layers_of(model.page_decoder(), shape)[0], Layer(kind)]
    data = network(layers, shape, ["image"], room)
    z = samples(run)
    errors = differences(run_layers(layers, z), run.decode(z))
    bound = OF_CONTINUOUS if kind == "continuous-bernoulli" else OF_PIXELS
    if not (error := float(errors.max())) <= bound:
        logits = output(model.page_decoder(), z.to(run.device))
        exact = differences(model.observation.mean(logits).cpu(), run.decode(z))
        cause = why_different("decode", float(exact.max()) <= bound)
        raise Different(f"{cause} its pixels would differ by up to {error:.2g}")
    return data


def encoder_of(run: Run, room: float) -> dict[str, Any]:
    """The page data of a run's encoder: an image [C, H, W] in [0, 1] to latents.

    Its outputs are the means, [D], and after them the standard deviations if there is a posterior.

    Raises:
        UnknownLayer: a page cannot run one of its layers.
        TooLarge: it takes more than `room`, in MB.
        Different: its layers compute other latents than the run.
    """
    images = examples(run)
    code = run.code(images)
    shape = tuple(images.shape[1:])
    layers, _ = layers_of(run.model.page_encoder(), shape)
    expected = {"mean": code.mean.cpu()}
    if isinstance(code, Posterior):
        layers.append(Layer("deviations"))
        expected["deviation"] = code.scale.cpu()
    data = network(layers, shape, list(expected), room)
    if error := latents_error(run_layers(layers, images), expected, code.discrete):
        outputs = output(run.model.page_encoder(), images.to(run.device)).cpu()
        if isinstance(code, Posterior):
            mean, log_variance = outputs.chunk(2, 1)
            outputs = torch.cat([mean, (0.5 * log_variance).exp()], 1)
        cause = why_different("encode", not latents_error(outputs, expected, code.discrete))
        raise Different(f"{cause} its latents would differ by up to {error:.2g}")
    return data


def output(modules: Iterable[nn.Module], x: Tensor) -> Tensor:
    """The output of modules that are applied in order."""
    with torch.no_grad():
        for module in modules:
            x = module(x)
    return x


def why_different(method: str, modules_agree: bool) -> str:
    """Why the page would compute something else than the model's `decode` or `encode`."""
    if modules_agree:
        return "with the layers and weights of 16 bits of a page"
    return f"`{method}` computes more than the modules of `page_{method}r`: without it"


def latents_error(got: Tensor, expected: Mapping[str, Tensor], discrete: bool) -> float:
    """The largest difference of an encoder's outputs, [N, outputs], from the run's, [N, D] each.

    0 if they differ by no more than rounding.

    Raises:
        Different: the outputs have different shapes.
    """
    errors = differences(got, torch.cat(list(expected.values()), 1))
    scales = [values.abs().max().clamp(min=1).expand_as(values) for values in expected.values()]
    wrong = ~(errors / torch.cat(scales, 1) <= OF_LATENTS)
    return float(errors.max()) if wrong.float().mean() > (FLIPPED if discrete else 0) else 0.0


def differences(got: Tensor, expected: Tensor) -> Tensor:
    """The absolute differences of outputs.

    Raises:
        Different: the outputs have different shapes.
    """
    if got.shape != expected.shape:
        shapes = [list(values.shape[1:]) for values in (expected, got)]
        raise Different(f"expected outputs {shapes[0]} of its layers, got {shapes[1]}")
    return (got - expected).abs()


def samples(run: Run) -> Tensor:
    """Latents of images, of the prior, and of a range beyond what traversals show."""
    ends = torch.stack([run.model.traversal(d, 2)[[0, -1]] for d in range(run.model.latents)]).cpu()
    rng = torch_rng(run.record.seed, "networks in a page")
    prior = torch.randn(SAMPLES, len(ends), generator=rng)
    share = torch.rand(SAMPLES, len(ends), generator=rng) * BEYOND + (1 - BEYOND) / 2
    wide = ends[:, 0] + share * (ends[:, 1] - ends[:, 0])
    return torch.cat([run.encode(examples(run)[:SAMPLES]), prior, wide])


def examples(run: Run) -> Tensor:
    """Images of the dataset, their negatives and darker ones with noise, [3 N, C, H, W]."""
    order = numpy_rng(run.record.seed, "networks in a page").permutation(len(run.dataset))
    images = as_input(run.dataset.images(order[:SAMPLES]), run.record.dataset.image_shape)
    noise = torch.rand(images.shape, generator=torch_rng(run.record.seed, "noise in a page"))
    return torch.cat([images, 1 - images, images * noise]).contiguous()


def network(
    layers: Sequence[Layer], shape: Shape, outputs: list[str], room: float
) -> dict[str, Any]:
    """Layers as JSON, with all weights in one string: little-endian bytes in base64.

    Raises:
        TooLarge: the weights take more than `room`, in MB.
    """
    tensors = [values for layer in every(layers) for values in layer.tensors.values()]
    megabytes = sum(values.numel() for values in tensors) * BYTES / MB
    if megabytes > room:
        raise TooLarge(megabytes, room)
    described, _ = description(layers, shape)
    json.dumps(described, allow_nan=False)
    weights = base64.b64encode(b"".join(map(packed, tensors))).decode()
    return {"shape": list(shape), "outputs": outputs, "layers": described, "weights": weights}


def packed(values: Tensor) -> bytes:
    """The bytes of a layer's weights: float32 for one axis, else 16 bits after scales of rows."""
    if values.ndim < 2:
        return values.numpy().astype("<f4").tobytes()
    whole, scale = rounded(values)
    return scale.numpy().astype("<f4").tobytes() + whole.numpy().astype("<i2").tobytes()


def every(layers: Iterable[Layer]) -> Iterator[Layer]:
    """All layers, those inside others after them."""
    for layer in layers:
        yield layer
        yield from every(layer.layers)


def description(layers: Iterable[Layer], shape: Shape) -> tuple[list[dict[str, Any]], Shape]:
    """Layers without their weights, each with the shape of its output."""
    described = []
    for layer in layers:
        inner = description(layer.layers, shape)[0]
        shape = shape_after(layer, shape)
        tensors = {name: list(values.shape) for name, values in layer.tensors.items()}
        parts = {"layers": inner} if inner else {}
        described.append(
            {"kind": layer.kind, **layer.options, **parts, "tensors": tensors, "shape": list(shape)}
        )
    return described, shape
