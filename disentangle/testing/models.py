"""The rules of the model contract."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from disentangle._utils.seeds import numpy_rng
from disentangle._utils.tensors import digest
from disentangle.cli.train import model_command
from disentangle.contracts.common_options import Training
from disentangle.contracts.dataset import Labelled
from disentangle.contracts.model import Code, Posterior
from disentangle.runs import checkpoint
from disentangle.testing import knobs as knob_rules
from disentangle.testing.check import (
    Rules,
    fits_a_line,
    lacks_about,
    require,
    says_source,
    undisturbed,
)
from disentangle.testing.trial import N, Subject, sets, slopes, values
from disentangle.training.optimizers import make_optimizers, updating

RNG = "draw from batch.rng, as in q.sample(batch.rng)"

rules = Rules[Subject]()


@rules
def class_names_its_source(s: Subject) -> None:
    """The class states its equation, and its module cites the paper."""
    says_source(s.kind, "the class")


@rules.unless(lambda s: lacks_about(s.kind.about))
def about_is_a_line(s: Subject) -> None:
    """`about` describes the plugin in one short line."""
    fits_a_line(s.kind.about)


@rules
def knobs_say_what_they_are(s: Subject) -> None:
    """Every knob has help and a valid default."""
    knob_rules.say_what_they_are(s.kind)


@rules
def knobs_survive(s: Subject) -> None:
    """Command line, record, model and training keep the value of every knob."""
    if s.name:
        model_command(s.name)  # raises if a knob clashes with the command's options
    knob_rules.survive(s.kind)
    model = s.build()
    sets(model, s.batch(model))
    knob_rules.unchanged(model)


@rules
def terms_are_finite_scalars(s: Subject) -> None:
    """Each term is one finite number."""
    model = s.build()
    term_sets = sets(model, s.batch(model))
    require(all(term_sets), "terms() returns no term: their sum is the loss")
    values(model, s.batch(model))


@rules
def terms_are_per_image(s: Subject) -> None:
    """Terms do not grow if the same images are repeated two or four times."""
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
    """A model has a second set of terms if, and only if, it has an opponent."""
    model = s.build()
    count, opponent = len(sets(model, s.batch(model))), model.opponent()
    require(
        count == (1 if opponent is None else 2),
        f"terms() returns {count} set(s) of terms, but opponent() returns "
        f"{'no' if opponent is None else 'an'} optimiser: an adversarial model returns its own "
        "terms and its opponent's; any other model returns one mapping",
    )


@rules
def gradient_reaches_every_parameter(s: Subject) -> None:
    """Within three steps each parameter has a non-zero gradient."""
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
        f"no gradient reaches {', '.join(sorted(missing))}: use it in a term, remove it, or freeze "
        "it with requires_grad_(False)",
    )


@rules
def undecayed_parameters_are_its_own(s: Subject) -> None:
    """undecayed() returns parameters of the model."""
    model = s.build()
    own = {id(p) for p in model.parameters()}
    require(
        all(id(p) in own for p in model.undecayed()),
        "undecayed() returns something that is not a parameter of the model: choose from "
        "self.parameters() or self.named_parameters()",
    )


@rules
def smallest_batch_trains_every_term(s: Subject) -> None:
    """Each term that has a gradient has one in a batch of `min_batch` images too."""
    model = s.build()
    full, small = (slopes(model, s.batch(model, images=n)) for n in (N, s.kind.min_batch))
    for name, slope in full.items():
        require(
            slope == 0 or small[name] > 1e-5 * slope,
            f"term '{name}' has no gradient in a batch of {s.kind.min_batch}, but has one in a "
            f"batch of {N}: it compares the images of a batch. Set `min_batch` to the fewest that "
            "it needs, as in `min_batch = 2`",
        )


@rules
def same_seed_gives_the_same_terms(s: Subject) -> None:
    """Weights depend only on the seed, noise only on the batch's generator."""
    first, second = s.build(), s.build()
    require(
        digest(first.state_dict()) == digest(second.state_dict()),
        "two models built from the same seed have different weights: build() must draw only "
        "through torch's own initialisers",
    )
    once, again = values(first, s.batch(first)), values(second, s.batch(second))
    require(
        once == again,
        f"the same images and noise give different terms, {once} and then {again}: {RNG}",
    )


@rules
def another_seed_gives_other_weights(s: Subject) -> None:
    """The model does not seed its own initialisation."""
    first, second = (digest(s.build(seed).state_dict()) for seed in (0, 1))
    require(
        first != second,
        "two seeds give the same weights, so all runs would be equal: build() must not seed a "
        "generator; the trainer does",
    )


@rules
def nothing_is_printed_or_seeded(s: Subject) -> None:
    """The model prints nothing and does not use global generators."""
    with undisturbed("build()", "initialise with torch.nn.init"):
        model = s.build()
    with undisturbed("pair()", "draw from the given rng"):
        batch = s.batch(model)
    with undisturbed("terms()", RNG):
        model.terms(batch)
    with undisturbed("encode() or decode()", "they must be functions of their input"):
        model.decode(model.encode(batch.x).mean)


@rules
def batch_is_left_as_it_was(s: Subject) -> None:
    """No tensor of the batch is changed in place."""
    model = s.build()
    batch = s.batch(model)
    tensors = {name: getattr(batch, name) for name in ("x", "pair", "changed", "labels")}
    before = {name: tensor.clone() for name, tensor in tensors.items() if tensor is not None}
    model.terms(batch)
    for name, tensor in before.items():
        require(
            torch.equal(tensor, tensors[name]),
            f"terms() changes batch.{name} in place: work on a copy. Operations whose name ends "
            "with _ and layers with inplace=True overwrite their input",
        )


@rules
def state_survives_saving(s: Subject) -> None:
    """A trained model that is saved and loaded into another gives the same terms and codes."""
    model, other = s.build(), s.build(1)
    training = Training(lr=1e-3)
    updating(model, make_optimizers(model, training), training, torch.device("cpu"))(s.batch(model))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        checkpoint.write_tensors(path, model.state_dict(), {})
        checkpoint.restore_weights(other, checkpoint.read_tensors(path)[0], path)
    remedy = "store state in parameters and buffers (register_buffer), not in other attributes"
    x = s.batch(model).x
    with torch.no_grad():
        same = torch.equal(model.eval().encode(x).mean, other.eval().encode(x).mean)
        require(same, f"codes differ after saving and loading: {remedy}")
        terms = values(model, s.batch(model)), values(other, s.batch(other))
    require(terms[0] == terms[1], f"terms differ after saving and loading, {terms}: {remedy}")


@rules
def code_and_images_have_their_shapes(s: Subject) -> None:
    """encode() returns a code [N, latents], decode() images [N, C, H, W]."""
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
            f"expected the {what} to be {list(shape)} for {N} images of "
            f"{list(s.data.image_shape)} and {model.latents} latents, got {list(tensor.shape)}",
        )


@rules
def traversal_is_in_order(s: Subject) -> None:
    """traversal() returns at most n values, ascending, and equally many for each latent."""
    model = s.build()
    traversals = [model.traversal(latent, 5) for latent in range(model.latents)]
    valid = all(
        t.ndim == 1
        and 0 < len(t) <= 5
        and len(t) == len(traversals[0])
        and bool((t.diff() >= 0).all())
        for t in traversals
    )
    require(
        valid, "traversal(latent, n) must return up to n values in order, equally many per latent"
    )


@rules
def pairs_are_images_of_the_dataset(s: Subject) -> None:
    """pair() returns an index for each image, drawn only from the given generator."""
    model, index = s.build(), np.arange(N)
    require(
        not model.labelled_images()
        or (issubclass(s.kind.needs, Labelled) and s.kind.supervision != ""),
        "labelled_images() uses labels: set `needs = Labelled`, and say so in `supervision`",
    )
    first, second = (model.pair(s.data, index, numpy_rng(0, "pairs")) for _ in range(2))
    if first is None or second is None:
        require(not s.kind.reads_changed, "reads_changed needs pairs, but pair() returns none")
        return
    require(
        not s.kind.reads_changed or issubclass(s.kind.needs, Labelled),
        "reads_changed needs the labels of both images: set `needs = Grid` or `needs = Labelled`",
    )
    inside = first.shape == (N,) and bool(((first >= 0) & (first < len(s.data))).all())
    require(
        inside,
        f"pair() must return the index of a second image for each, [{N}], from 0 to "
        "len(dataset) - 1",
    )
    same = np.array_equal(first, second)
    require(same, "pair() returns other pairs for the same rng: draw only from it")
