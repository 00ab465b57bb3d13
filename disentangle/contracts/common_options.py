"""What every training is set by: the knobs of all models, and the trainer's own options."""

from collections.abc import Iterable
from typing import Literal

from disentangle.contracts.plugin import Plugin, knob

TAKEN = frozenset(
    "dataset preset device checkpoint_every results study data_dir file download image_size "
    "channels split factors hold_out hold_out_seed keep score_every metric figures".split()
)
"""What `disentangle train` calls its other parameters, so that no knob can be called so."""


def likelihood_names() -> Iterable[str]:
    """Return the names of the likelihoods; torch is imported for them."""
    from disentangle.nn.likelihoods import LIKELIHOODS

    return LIKELIHOODS


class Common(Plugin):
    """What every model has."""

    latents: int = knob(default=10, min=1, help="number of latents")
    network: str = knob(default="conv", help="encoder and decoder, by name")
    likelihood: str = knob(
        default="bernoulli",
        choices=likelihood_names,
        help="of the pixels given the latents; the dataset's unless given",
    )
    variance: float = knob(
        default=0.5,
        above=0,
        only_if=("likelihood", "gaussian"),
        help="of the Gaussian likelihood, per pixel; 0.5 is the summed squared error",
    )


class Training(Plugin):
    """How a model is trained; each field is an option of `disentangle train`."""

    steps: int = knob(default=100_000, min=1, help="training steps")
    batch_size: int = knob(default=64, min=1, help="images a step")
    lr: float = knob(default=1e-4, above=0, help="learning rate")
    optimizer: Literal["adam", "adamw", "adagrad"] = knob(default="adam", help="optimiser")
    weight_decay: float = knob(
        default=0.01, min=0, only_if=("optimizer", "adamw"), added=True, help="of AdamW"
    )
    compile: bool = knob(
        default=False,
        added=True,
        help="record the step on a GPU and replay it; compile the networks on a CPU",
    )
    clip: float = knob(
        default=0.0, min=0, added=True, help="largest norm of the gradient; 0: none is clipped"
    )
    seed: int = knob(default=0, min=0, help="of the weights, the order of images and the noise")
    precision: Literal["fp32", "bf16"] = knob(default="fp32", help="of the networks' arithmetic")
