"""Advice before training: whether this weight of the KL term is about to waste the user's week."""

from math import prod

from disentangle.dataset import Dataset
from disentangle.spectrum import SAMPLE, Prediction, predict

QUICK = 400
"""Images that the one line before training is taken from."""
KNOWN = ("gaussian", "bernoulli")
"""The likelihoods whose onset of collapse is known."""


def advise(
    dataset: Dataset, beta: float, latents: int, likelihood: str, variance: float
) -> list[str]:
    """Return what is known before training, in sentences.

    Args:
        dataset: what is trained on.
        beta: weight of the KL term, in nats per image.
        latents: how many there are.
        likelihood: its name; only of `KNOWN` ones anything is known.
        variance: of the Gaussian likelihood, a pixel's.
    """
    norm = beta * latents / prod(dataset.image_shape)
    said = [
        f"beta = {beta:g} weighs the KL term in nats per image, summed over pixels and latents; "
        f"the normalised beta of Higgins et al. is {norm:.3g}, of {latents} latents and "
        f"{prod(dataset.image_shape):,} pixels."
    ]
    if likelihood == "gaussian":
        said.append(
            f"The Gaussian's variance is {variance:g}: with squared errors summed and not halved, "
            f"this is a weight of {2 * variance * beta:g}."
        )
    if likelihood not in KNOWN:
        return [*said, f"Of the likelihood '{likelihood}' the onset of collapse is not known."]
    found = predict(dataset, likelihood, variance, beta, latents)
    said.append(
        f"By the spectrum of {min(SAMPLE, len(dataset)):,} images, collapse is stable above beta = "
        f"{found.onset}, of halves of them the lowest and highest in brackets."
    )
    if found.without_rare is not None:
        said.append(f"Without pixels that hardly ever vary, above {found.without_rare:.3g}.")
    if found.kept is not None:
        said.append(
            f"A linear model would keep {found.kept.value:.0f} of {latents} latents "
            f"({found.kept.low:.0f} to {found.kept.high:.0f}); another network may keep other "
            "numbers."
        )
    return [*said, verdict(beta, found)]


def verdict(beta: float, found: Prediction) -> str:
    """Return whether collapse is stable, in words."""
    if beta > found.onset.high:
        return (
            f"Collapse is STABLE at beta = {beta:g}: expect every latent to die. "
            f"Choose a beta well below {found.onset.low:.3g}."
        )
    if beta > found.onset.low:
        return "This is at the onset: what happens depends on the images and on chance."
    return (
        "Collapse is unstable here, which is no promise. Close to the onset training leaves it "
        "slowly, and at a high learning rate, which kills ReLUs, never. Watch the number of active "
        "latents; try a smaller --lr, or, where the model has it, a weight that rises from 0 "
        "(--kl-warmup STEPS)."
    )


def one_line(
    dataset: Dataset, beta: float, latents: int, likelihood: str, variance: float
) -> str | None:
    """Return the short form of the advice, from few images; None where nothing is known."""
    if likelihood not in KNOWN or len(dataset) < 2:
        return None
    found = predict(dataset, likelihood, variance, beta, latents, sample=QUICK)
    state = "STABLE: expect every latent to die" if beta > found.onset.high else "unstable"
    return f"beta {beta:g}: collapse is {state} (stable above some {found.onset.value:.3g})"
