"""The rules of the model contract."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from disentangle._utils.seeds import numpy_rng
from disentangle.cli.train import model_command
from disentangle.contracts.common_options import Training
from disentangle.contracts.model import Code, Posterior
from disentangle.runs import checkpoint
from disentangle.testing import knobs as knob_rules
from disentangle.testing.check import Rules, require, says_source, undisturbed
from disentangle.testing.trial import N, Subject, sets, values
from disentangle.training.loop import make_optimizers, updating

RNG = "draw from batch.rng, as in q.sample(batch.rng)"

rules = Rules[Subject]()


@rules
def class_names_its_source(s: Subject) -> None:
    """The class says its equation, the module its paper."""
    says_source(s.kind, "the class")


@rules
def knobs_say_what_they_are(s: Subject) -> None:
    """Every knob has help and a valid default."""
    knob_rules.say_what_they_are(s.kind)


@rules
def knobs_survive(s: Subject) -> None:
    """Command line, record, model and training leave every knob as it was given."""
    if s.name:
        model_command(s.name)  # can be made, with the command's own options
    knob_rules.survive(s.kind)
    model = s.build()
    sets(model, s.batch(model))
    knob_rules.unchanged(model)


@rules
def terms_are_finite_scalars(s: Subject) -> None:
    """Each term is one finite number."""
    model = s.build()
    found = sets(model, s.batch(model))
    require(all(found), "terms() returns no term: their sum is the loss")
    values(model, s.batch(model))


@rules
def terms_are_per_image(s: Subject) -> None:
    """A term of the same images twice, or four times, is no larger."""
    model = s.build()
    once, twice, four = (values(model, s.batch(model, copies)) for copies in (1, 2, 4))
    for i, terms in enumerate(once):
        for name, value in terms.items():
            grown = [(2, twice[i][name]), (4, four[i][name])]
            summed = all(abs(term - k * value) < 0.1 * k * abs(value) for k, term in grown)
            require(
                not summed,
                f"term '{name}' doubles with the batch, from {value:.4g} to {twice[i][name]:.4g}: "
                "terms are in nats per image; take the mean over the batch, not the sum",
            )


@rules
def opponent_has_terms_of_its_own(s: Subject) -> None:
    """A second set of terms goes with an opponent's optimiser."""
    model = s.build()
    count, opponent = len(sets(model, s.batch(model))), model.opponent()
    require(
        count == (1 if opponent is None else 2),
        f"terms() returns {count} set(s) of terms, and opponent() "
        f"{'no' if opponent is None else 'an'} optimiser: an adversarial model returns its own "
        "terms and its opponent's; any other returns one mapping",
    )


@rules
def gradient_reaches_every_parameter(s: Subject) -> None:
    """Within three steps each parameter has had a gradient that is not 0."""
    model = s.build()
    device = torch.device("cpu")
    training = Training(lr=1e-3)
    update = updating(model, make_optimizers(model, training), training, device)
    missing = {name for name, p in model.named_parameters() if p.requires_grad}
    for step in range(1, 4):
        update(s.batch(model, step=step))
        for name, parameter in model.named_parameters():
            if parameter.grad is not None and parameter.grad.abs().sum() > 0:
                missing.discard(name)
    require(
        not missing,
        f"no gradient reaches {', '.join(sorted(missing))}: use it in a term, leave it out, or "
        "freeze it with requires_grad_(False)",
    )


@rules
def same_seed_gives_the_same_terms(s: Subject) -> None:
    """Weights come from the seed alone, noise from the batch's generator alone."""
    first, second = s.build(), s.build()
    require(
        checkpoint.digest(first.state_dict()) == checkpoint.digest(second.state_dict()),
        "two models built from one seed have different weights: build() draws from something else "
        "than torch's own initialisers",
    )
    once, again = values(first, s.batch(first)), values(second, s.batch(second))
    require(
        once == again,
        f"the same images and noise give other terms the second time, {once} and then {again}: "
        f"{RNG}",
    )


@rules
def another_seed_gives_other_weights(s: Subject) -> None:
    """The model does not seed its own initialisation."""
    first, second = (checkpoint.digest(s.build(seed).state_dict()) for seed in (0, 1))
    require(
        first != second,
        "two seeds give the same weights: build() seeds a generator itself; leave that to the "
        "trainer, or runs over seeds are all one",
    )


@rules
def nothing_is_printed_or_seeded(s: Subject) -> None:
    """The model prints nothing, and leaves global generators alone."""
    with undisturbed("build()", "initialise with torch.nn.init"):
        model = s.build()
    with undisturbed("pair()", "draw from the rng that it is given"):
        batch = s.batch(model)
    with undisturbed("terms()", RNG):
        model.terms(batch)
    with undisturbed("encode() or decode()", "they are to be functions of their input"):
        model.decode(model.encode(batch.x).mean)


@rules
def batch_is_left_as_it_was(s: Subject) -> None:
    """No tensor of the batch is changed in place."""
    model = s.build()
    batch = s.batch(model)
    before = {"x": batch.x.clone(), "pair": None if batch.pair is None else batch.pair.clone()}
    model.terms(batch)
    for name, tensor in before.items():
        require(
            tensor is None or torch.equal(tensor, getattr(batch, name)),
            f"terms() changes batch.{name} in place: work on a copy; an operation whose name ends "
            "with _ and a layer with inplace=True write into their input",
        )


@rules
def state_survives_saving(s: Subject) -> None:
    """A model that was trained, saved and loaded into another gives the same terms and codes."""
    model, other = s.build(), s.build(1)
    training = Training(lr=1e-3)
    updating(model, make_optimizers(model, training), training, torch.device("cpu"))(s.batch(model))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        checkpoint.write_tensors(path, model.state_dict(), {})
        checkpoint.restore_weights(other, checkpoint.read_tensors(path)[0], path)
    remedy = "keep state in parameters and buffers (register_buffer), not in other attributes"
    x = s.batch(model).x
    with torch.no_grad():
        same = torch.equal(model.eval().encode(x).mean, other.eval().encode(x).mean)
        require(same, f"codes differ after saving and loading: {remedy}")
        terms = values(model, s.batch(model)), values(other, s.batch(other))
    require(terms[0] == terms[1], f"terms differ after saving and loading, {terms}: {remedy}")


@rules
def code_and_images_have_their_shapes(s: Subject) -> None:
    """encode() gives a code [N, latents], decode() images [N, C, H, W]."""
    model = s.build()
    code = model.encode(s.batch(model).x)
    require(
        isinstance(code, Code),
        f"encode() returns {type(code).__name__}: return a Posterior, or a Code in a Model[Code]",
    )
    shapes: dict[str, tuple[Tensor, tuple[int, ...]]] = {"code": (code.mean, (N, model.latents))}
    if isinstance(code, Posterior):
        shapes["log_variance of the code"] = (code.log_variance, (N, model.latents))
    shapes["decoded image"] = (model.decode(code.mean), (N, *s.data.image_shape))
    for what, (tensor, shape) in shapes.items():
        require(
            tuple(tensor.shape) == shape,
            f"the {what} is {list(tensor.shape)} for {N} images of {list(s.data.image_shape)} and "
            f"{model.latents} latents: it is to be {list(shape)}",
        )


@rules
def traversal_is_in_order(s: Subject) -> None:
    """traversal() gives at most n values, rising, of each latent equally many."""
    model = s.build()
    found = [model.traversal(latent, 5) for latent in range(model.latents)]
    right = all(
        t.ndim == 1 and 0 < len(t) <= 5 and len(t) == len(found[0]) and bool((t.diff() >= 0).all())
        for t in found
    )
    require(
        right, "traversal(latent, n) is to return at most n values in order, as many of each latent"
    )


@rules
def pairs_are_images_of_the_dataset(s: Subject) -> None:
    """pair() gives an index for each image, drawn from the given generator alone."""
    model, index = s.build(), np.arange(N)
    first, second = (model.pair(s.data, index, numpy_rng(0, "pairs")) for _ in range(2))
    if first is None or second is None:
        return
    inside = first.shape == (N,) and bool(((first >= 0) & (first < len(s.data))).all())
    require(
        inside,
        f"pair() is to return the index [{N}] of another image for each, each at least 0 and less "
        "than len(dataset)",
    )
    same = np.array_equal(first, second)
    require(same, "pair() gives other pairs from the same rng: draw from that alone")
