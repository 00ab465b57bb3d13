"""Options common to all trainings: the knobs of all models and the trainer's options."""

from collections.abc import Iterable
from typing import Literal

from disentangle.contracts.plugin import Plugin, knob

TAKEN = frozenset(
    "dataset preset device checkpoint_every results study name note data_dir file download "
    "image_size channels split factors hold_out hold_out_seed correlate keep score_every metric "
    "figures track time_limit seeds jobs".split()
)
"""Names of the other parameters of `disentangle train`, which no knob may have."""


def likelihood_names() -> Iterable[str]:
    """The names of the likelihoods; this imports torch."""
    from disentangle.nn.likelihoods import LIKELIHOODS

    return LIKELIHOODS


class Common(Plugin):
    """The knobs of every model."""

    latents: int = knob(default=10, min=1, help="number of latents")
    network: str = knob(default="conv", help="encoder and decoder, by name")
    likelihood: str = knob(
        default="bernoulli",
        choices=likelihood_names,
        help="likelihood of the pixels given the latents; a dataset may have another default",
    )
    variance: float = knob(
        default=0.5,
        above=0,
        only_if=[("likelihood", "gaussian")],
        help="variance of the Gaussian likelihood, per pixel; 0.5 gives the summed squared error",
    )


class Training(Plugin):
    """The trainer's options; each field is an option of `disentangle train`."""

    steps: int = knob(default=100_000, min=1, help="training steps")
    batch_size: int = knob(default=64, min=1, help="images per step")
    lr: float = knob(default=1e-4, above=0, help="learning rate")
    lr_schedule: Literal["constant", "cosine", "cosine-cycles"] = knob(
        default="constant",
        added=True,
        help="cosine: all learning rates fall to lr_end along half a cosine and stay there; "
        "cosine-cycles: they then rise and fall in turn",
    )
    lr_steps: int = knob(
        default=0,
        min=0,
        only_if=[("lr_schedule", "cosine", "cosine-cycles")],
        added=True,
        help="step at which the learning rates have first fallen to lr_end; 0: the last",
    )
    lr_end: float = knob(
        default=0.0,
        min=0,
        only_if=[("lr_schedule", "cosine", "cosine-cycles")],
        added=True,
        help="learning rate at the end of the cosine",
    )
    optimizer: Literal["adam", "adamw", "adagrad"] = knob(default="adam", help="optimiser")
    weight_decay: float = knob(
        default=0.01,
        min=0,
        only_if=[("optimizer", "adamw")],
        added=True,
        help="weight decay of AdamW",
    )
    compile: bool = knob(
        default=False,
        added=True,
        help="on a GPU, record the training step and replay it; on a CPU, compile the networks",
    )
    clip: float = knob(
        default=0.0, min=0, added=True, help="maximum norm of the gradient; 0 disables clipping"
    )
    clip_value: float = knob(
        default=0.0,
        min=0,
        added=True,
        help="maximum size of each entry of the gradient; 0 disables it",
    )
    seed: int = knob(
        default=0, min=0, help="seed of the weights, the order of images and the noise"
    )
    precision: Literal["fp32", "bf16"] = knob(default="fp32", help="precision of the networks")
