"""The checks for authors: right plugins pass, each wrong one fails its rule with a remedy.

Of the plugins here, https://example.org/paper.
"""

import hashlib
import subprocess
import sys
from types import MappingProxyType
from unittest import SkipTest

import numpy as np
import pytest
import torch
from torch import nn

from disentangle.contracts.dataset import Dataset, Grid, Labelled
from disentangle.contracts.metric import Detail, Metric
from disentangle.contracts.model import Model, Posterior
from disentangle.contracts.plugin import knob
from disentangle.errors import Unavailable, UsageError
from disentangle.testing import Violation, check_dataset, check_metric, check_model, conformance


def broken(checks):
    """Return the rules that are broken, each with its message; a cause is told once."""
    found = {}
    for check in checks:
        try:
            check()
        except Violation as violation:
            found[check.name] = str(violation)
        except SkipTest:
            continue
    return found


def fails(checks, rule, message):
    """Assert that a plugin breaks one rule, and that the message holds these words."""
    found = broken(checks)
    assert list(found) == [rule]
    assert message in found[rule]


class Right(Model):
    """-E_q[log p(x|z)] + beta KL(q(z|x) || p(z))."""

    beta: float = knob(default=2.0, min=0, help="weight of the KL term")

    def terms(self, batch):
        q = self.encode(batch.x)
        reconstruction = self.reconstruction(batch.x, q.sample(batch.rng))
        return {"reconstruction": reconstruction, "kl": self.beta * self.kl(q)}

    def kl(self, q):
        return q.kl().sum(1).mean()


class Unbuildable(Right):
    """It cannot be built."""

    def build(self, image_shape):
        raise RuntimeError("no such layer")


class OneForEachImage(Right):
    """Its term is a vector."""

    def kl(self, q):
        return q.kl().sum(1)


class NotFinite(Right):
    """Its term is NaN."""

    def kl(self, q):
        return super().kl(q) * float("nan")


class Summed(Right):
    """Its term is a sum over the batch."""

    def kl(self, q):
        return q.kl().sum()


class Total(Right):
    """It returns the sum of its terms."""

    def terms(self, batch):
        return sum(super().terms(batch).values())


class Unused(Right):
    """It has a layer that no term uses."""

    def build(self, image_shape):
        super().build(image_shape)
        self.spare = nn.Linear(2, 2)


class SeedsNumPy(Right):
    """It seeds NumPy in each step."""

    def terms(self, batch):
        np.random.seed(0)  # noqa: NPY002
        return super().terms(batch)


class SeedsWeights(Right):
    """It seeds torch before its weights are drawn."""

    def build(self, image_shape):
        torch.manual_seed(0)
        super().build(image_shape)


class Doubles(Right):
    """It changes what all tensors are made of."""

    def build(self, image_shape):
        super().build(image_shape)
        torch.set_default_dtype(torch.float64)


class OwnNoise(Right):
    """It draws noise from torch's global generator."""

    def terms(self, batch):
        q = self.encode(batch.x)
        z = q.mean + q.scale * torch.randn_like(q.mean)
        return {"reconstruction": self.reconstruction(batch.x, z), "kl": self.kl(q)}


class Prints(Right):
    """It prints in each step."""

    def terms(self, batch):
        print("a step")
        return super().terms(batch)


class ChangesBatch(Right):
    """It scales the images in place."""

    def terms(self, batch):
        batch.x.mul_(0.5)
        return super().terms(batch)


class ChangesKnob(Right):
    """It overwrites its knob."""

    def build(self, image_shape):
        super().build(image_shape)
        self.beta = self.beta / 2


class RoundsKnob(Right):
    """It keeps another value than it is given."""

    def __post_init__(self):
        super().__post_init__()
        self.beta = float(int(self.beta / 2) * 2)


class NoHelp(Right):
    """It has a knob that says nothing."""

    gamma: float = knob(default=1.0, help=" ")


class BadDefault(Right):
    """It has a default that it does not take."""

    gamma: float = knob(default=-1.0, min=0, help="weight")


class HiddenState(Right):
    """It keeps a random tensor where it is not saved."""

    def build(self, image_shape):
        super().build(image_shape)
        self.shift = torch.rand(self.latents)

    def encode(self, x):
        q = super().encode(x)
        return Posterior(q.mean + self.shift, q.log_variance)


class TooFewLatents(Right):
    """It has one latent less than its knob says."""

    def encode(self, x):
        q = super().encode(x)
        return Posterior(q.mean[:, 1:], q.log_variance[:, 1:])

    def decode(self, z):
        return super().decode(torch.cat([z, z[:, :1]], 1)[:, : self.latents])


class NoOpponent(Right):
    """It returns an opponent's terms, and has none."""

    def terms(self, batch):
        return super().terms(batch), {}


class Backwards(Right):
    """It shows its traversals from right to left."""

    def traversal(self, latent, n):
        return super().traversal(latent, n).flip(0)


class PairsOutside(Right):
    """It pairs images with others beyond the last."""

    def pair(self, dataset, index, rng):
        return np.asarray(index) + len(dataset) - 1


class NoSource(Right):
    """It is from nowhere."""


NoSource.__module__ = "colorsys"


class NoDocstring(Right):
    pass


def test_right_model_keeps_every_rule():
    assert not broken(check_model(Right, image_shape=(1, 32, 32)))


@pytest.mark.parametrize(
    ("kind", "rule", "message"),
    [
        (Unused, "gradient reaches every parameter", "spare.bias, spare.weight: use it in a term"),
        (Summed, "terms are per image", "term 'kl' doubles with the batch"),
        (SeedsNumPy, "nothing is printed or seeded", "from NumPy's global generator"),
        (SeedsWeights, "another seed gives other weights", "build() must not seed a generator"),
        (Prints, "nothing is printed or seeded", "terms() prints 'a step'"),
        (ChangesBatch, "batch is left as it was", "changes batch.x in place: work on a copy"),
        (ChangesKnob, "knobs survive", "'beta', given as 2.0, is changed by the plugin"),
        (RoundsKnob, "knobs survive", "knob 'beta', given as 5.0, is stored in the plugin as 4.0"),
        (NoHelp, "knobs say what they are", "knob 'gamma' has no help"),
        (HiddenState, "state survives saving", "parameters and buffers (register_buffer)"),
        (TooFewLatents, "code and images have their shapes", "code is [6, 9] for 6 images"),
        (Backwards, "traversal is in order", "up to n values in order"),
        (NoSource, "class names its source", "cite no source: begin the module with the paper"),
        (NoDocstring, "class names its source", "has no docstring"),
    ],
)
def test_wrong_model_breaks_one_rule(kind, rule, message):
    fails(check_model(kind, image_shape=(1, 32, 32)), rule, message)


@pytest.mark.parametrize(
    ("kind", "rule", "message"),
    [
        (
            OneForEachImage,
            "terms are finite scalars",
            "term 'kl' is a tensor [6], expected one number",
        ),
        (NotFinite, "terms are finite scalars", "term 'kl' is nan on random images"),
        (Total, "terms are finite scalars", "terms() returns Tensor: return terms by name"),
        (OwnNoise, "same seed gives the same terms", "draw from batch.rng"),
        (
            NoOpponent,
            "opponent has terms of its own",
            "2 set(s) of terms, but opponent() returns no opt",
        ),
        (BadDefault, "knobs say what they are", "gamma must be a finite number at least 0"),
        (PairsOutside, "pairs are images of the dataset", "index of a second image for each, [6]"),
    ],
)
def test_model_that_cannot_be_tried_fails_with_its_reason(kind, rule, message):
    check = next(c for c in check_model(kind, image_shape=(1, 32, 32)) if c.name == rule)
    with pytest.raises(Violation) as caught:
        check()
    assert str(caught.value).startswith(f"model '{kind.__name__}'")
    assert message in str(caught.value)


def test_one_cause_is_told_once():
    failed, skipped = [], []
    checks = list(check_model(Unbuildable))
    for check in checks:
        try:
            check()
        except RuntimeError:
            failed.append(check)
        except SkipTest as reason:
            skipped.append(str(reason))
    assert len(failed) == 1
    assert len(skipped) > 5
    assert set(skipped) == {
        f"model 'Unbuildable': same error as '{failed[0].name}'; fix that first"
    }
    with pytest.raises(RuntimeError, match="no such layer"):  # as often as it is asked
        failed[0]()


def test_model_that_changes_what_tensors_are_made_of_is_told():
    found = broken(check_model(Doubles))
    assert any("changes torch's default dtype to torch.float64" in m for m in found.values())
    assert torch.get_default_dtype() == torch.float32


def test_plugin_that_ends_the_process_is_told():
    class Leaver(Right):
        """It ends the process."""

        def terms(self, batch):
            raise SystemExit(0)

    (message,) = broken(check_model(Leaver)).values()
    assert message.startswith("model 'Leaver' ends the process (SystemExit(0)): ")


def test_what_a_plugin_raises_itself_says_what_was_checked():
    class Raises(Right):
        """It raises."""

        def terms(self, batch):
            raise ZeroDivisionError("of course")

    check = next(c for c in check_model(Raises) if c.name == "terms are finite scalars")
    with pytest.raises(ZeroDivisionError) as caught:
        check()
    assert caught.value.__notes__ == ["while checking model 'Raises': terms are finite scalars"]


class Squares(Grid):
    """Squares at two positions in six shades."""

    image_shape = (1, 8, 10)
    source = "drawn"
    fingerprint = hashlib.sha256(b"squares").hexdigest()

    def __init__(self, axes=MappingProxyType({"x": 7, "shade": 6})):
        super().__init__(axes)

    def images(self, index):
        images = np.zeros((len(self._index(index)), 1, 8, 10), np.uint8)
        for image, (x, shade) in zip(images, self.every_label(index), strict=True):
            image[0, 2:5, x : x + 3] = 255 - 20 * shade
        return torch.from_numpy(images)


class Floats(Squares):
    """Images in [0, 1]."""

    def images(self, index):
        return super().images(index).float() / 255


class LastChannel(Squares):
    """Images with channels last."""

    def images(self, index):
        return super().images(index).permute(0, 2, 3, 1)


class Bits(Squares):
    """Images of 0 and 1."""

    def images(self, index):
        return super().images(index) // 200


class Sorted(Squares):
    """Images in the order of the file."""

    def images(self, index):
        return super().images(np.sort(index))


class Wraps(Squares):
    """Images counted from the end."""

    def images(self, index):
        return super().images(np.asarray(index) % len(self))


class FromOne(Squares):
    """Labels that begin at 1."""

    def every_label(self, index):
        return super().every_label(index) + 1

    def images(self, index):
        return Squares().images(index)

    def index(self, labels):
        return super().index(np.asarray(labels) - 1)


class ColumnMajor(Squares):
    """Labels in another order than the images are found by."""

    def index(self, labels):
        x, shade = np.atleast_2d(labels).T
        return x + 7 * shade


class Strangers(Squares):
    """Images that share nothing."""

    def sharing(self, factor, index, rng):
        return rng.integers(0, len(self), len(index))


class OwnDraw(Squares):
    """Images that share, drawn from a generator of its own."""

    def sharing(self, factor, index, rng):
        return super().sharing(factor, index, np.random.default_rng())


class Same(Squares):
    """Images that share, each itself."""

    def sharing(self, factor, index, rng):
        return np.asarray(index)


class Restless(Squares):
    """A fingerprint that is always another."""

    count = 0

    @property
    def fingerprint(self):
        Restless.count += 1
        return f"{Restless.count:064x}"


class Overlapping(Squares):
    """Splits that overlap."""

    @property
    def splits(self):
        every = np.arange(len(self))
        return {"all": every, "train": every[:30], "test": every[20:]}


class Poisson(Squares):
    """A likelihood that is not known."""

    likelihood = "poisson"


class Tells(Squares):
    """It prints what it reads."""

    def images(self, index):
        print(len(index), "images")
        return super().images(index)


class Faces(Dataset):
    """Images of which nothing is known."""

    image_shape, source, fingerprint = (1, 8, 10), "drawn", Squares.fingerprint

    def __len__(self):
        return 42

    def images(self, index):
        return Squares().images(index)


@pytest.mark.parametrize("dataset", [Squares(), Faces()], ids=["grid", "images"])
def test_right_dataset_keeps_every_rule(dataset):
    assert not broken(check_dataset(dataset))


def test_rules_about_labels_do_not_concern_bare_images():
    names = [{check.name for check in check_dataset(data)} for data in (Faces(), Squares())]
    assert names[1] - names[0] == {
        "factors have names and sizes",
        "labels are in range",
        "index is the inverse of labels",
        "sharing shares",
    }


@pytest.mark.parametrize(
    ("dataset", "rule", "message"),
    [
        (Floats(), "images are bytes of their shape", "torch.float32: return torch.uint8"),
        (
            LastChannel(),
            "images are bytes of their shape",
            "[32, 8, 10, 1], expected [32, 1, 8, 10]",
        ),
        (Bits(), "images are bytes of their shape", "multiply pixels of 0 and 1 by 255"),
        (Sorted(), "images together are those one by one", "in the order of the index"),
        (Wraps(), "index outside is refused", "images([-1]) returns an image"),
        (FromOne(), "labels are in range", "labels of 'x' are 1 to 7, but it has 7 values"),
        (ColumnMajor(), "index is the inverse of labels", "row-major order of the factors"),
        (Strangers(), "sharing shares", "another value of 'x'"),
        (OwnDraw(), "sharing shares", "other images for the same rng"),
        (Same(), "sharing shares", "the same images for every rng"),
        (Restless(), "fingerprint is stable", "not from paths, times or hash()"),
        (Overlapping(), "splits are parts of it", "'test' has repeated images, or images of an"),
        (Poisson(), "record of it is complete", "likelihood is 'poisson', expected one of bernou"),
        (Tells(), "opening and reading disturb nobody", "images() prints '4 images'"),
        (Squares({"x,y": 7, "shade": 6}), "factors have names and sizes", "without '=', ','"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, Dataset) else None,
)
def test_wrong_dataset_breaks_one_rule(dataset, rule, message):
    fails(check_dataset(dataset), rule, message)


class Told(Metric[Labelled]):
    """The largest correlation of a latent with each factor, averaged."""

    samples: int = knob(default=200, min=2, help="images")

    def score(self, source, rng):
        z, v, _, _ = source.train_test(self.samples, 0, rng)
        if not v.size or (z.std(0) == 0).all() or (v.std(0) == 0).any():
            raise Unavailable("a factor or every latent is constant in these samples")
        both = np.corrcoef(np.hstack([z, v]), rowvar=False)
        r = np.abs(both[: z.shape[1], z.shape[1] :])  # [D, K]
        return {"told": float(np.nanmax(r, 0).mean()), "told/each": Detail(("factor",), r.max(0))}


class Unseeded(Told):
    """It draws images from a generator of its own."""

    def score(self, source, rng):
        return super().score(source, np.random.default_rng())


class First(Told):
    """It looks at the first latent alone."""

    def score(self, source, rng):
        z, v, _, _ = source.train_test(self.samples, 0, rng)
        if not v.size or z[:, 0].std() == 0 or v[:, 0].std() == 0:
            raise Unavailable("constant")
        return {"told": abs(float(np.corrcoef(z[:, 0], v[:, 0])[0, 1]))}


class Less(Told):
    """It gets smaller where codes get better."""

    def score(self, source, rng):
        return {name: -x for name, x in super().score(source, rng).items() if name == "told"}


class DeclaredLess(Less):
    """It says so."""

    better = MappingProxyType({"told": "less"})


class Misspelt(Told):
    """It declares a score that it has not."""

    better = MappingProxyType({"tolld": "more"})


class Crashes(Told):
    """It divides by the number of factors, of which there may be none."""

    def score(self, source, rng):
        assert 1 / len(source.factors)
        return super().score(source, rng)


class NeedsModel(Told):
    """It reads the model, whether there is one or not."""

    of_model = True

    def score(self, source, rng):
        return {"told": float(source.model.latents)}


class Claims(Told):
    """It says that it reads the model, and reads codes alone."""

    of_model = True


class Undefined(Told):
    """Its score is not finite."""

    def score(self, source, rng):
        return {"told": float("nan")}


class Centres(Told):
    """It centres the codes in place."""

    def score(self, source, rng):
        z = source.codes(np.arange(len(source)))
        z -= z.mean(0)
        return super().score(source, rng)


class Chatters(Told):
    """It prints what it found."""

    def score(self, source, rng):
        print("told")
        return super().score(source, rng)


class ShortDetail(Told):
    """What is behind its score lacks a factor."""

    def score(self, source, rng):
        found = super().score(source, rng)
        return {**found, "told/each": Detail(("factor",), found["told/each"].values[1:])}


@pytest.mark.parametrize("kind", [Told, DeclaredLess])
def test_right_metric_keeps_every_rule(kind):
    assert not broken(check_metric(kind))


@pytest.mark.parametrize(
    ("kind", "rule", "message"),
    [
        (Unseeded, "generator decides alone", "draw only from rng"),
        (
            First,
            "order of latents does not matter",
            "latents alike, or declare `ordered = True`",
        ),
        (Less, "oracle scores above noise", "declare `better`"),
        (Misspelt, "scores are finite numbers", "['tolld'], but there is no such score"),
        (Crashes, "undefined scores are unavailable", "[N, 0]: ZeroDivisionError: division by"),
        (NeedsModel, "missing needs are unavailable", "AttributeError: 'NoneType' object has no"),
        (Claims, "missing needs are unavailable", "raise Unavailable, or declare of_model = False"),
        (Centres, "codes are left as they were", "work on a copy"),
        (Chatters, "nothing is printed or seeded", "score() prints 'told'"),
        (ShortDetail, "details have the sizes of their axes", "shape (2,) for 4 latents"),
    ],
)
def test_wrong_metric_breaks_one_rule(kind, rule, message):
    fails(check_metric(kind), rule, message)


def test_metric_that_has_no_number_fails_with_its_reason():
    found = broken(check_metric(Undefined))
    assert (
        "'told' of an oracle is nan: return a finite number" in found["scores are finite numbers"]
    )


def cases(test):
    """Return the checks of a parametrised test."""
    return test.pytestmark[0].args[1]


def test_conformance_of_a_distribution_is_that_of_its_plugins(strangers):
    plugins = {check.plugin for check in cases(conformance(distribution="Strangers"))}
    assert {"model 'half-vae'", "dataset 'tiny'", "metric 'spread'"} <= plugins
    assert "model 'beta-vae'" not in plugins


def test_conformance_of_a_distribution_that_is_not_installed_says_so():
    with pytest.raises(UsageError, match=r"no plugin of 'disentangle-bnch'.*'disentangle-bench'"):
        conformance(distribution="disentangle-bnch")


def test_conformance_of_nothing_is_refused():
    with pytest.raises(UsageError, match="name models, datasets or metrics"):
        conformance()


@pytest.mark.parametrize("name", ["broken", "hlaf-vae"])
def test_plugin_that_cannot_be_imported_fails_when_its_case_runs(strangers, name):
    with pytest.raises(Exception, match=f"model '{name}'"):
        cases(conformance(models=[name]))[0]()


def test_dataset_whose_files_are_not_here_is_skipped_with_the_reason(tmp_path):
    check = cases(conformance(datasets=["celeba"], data_dir=tmp_path))[0]
    with pytest.raises(SkipTest, match="disentangle data prepare celeba --from PATH"):
        check()


def test_checks_need_no_pytest():
    code = "import sys; sys.modules['pytest'] = None; from disentangle.testing import check_model"
    subprocess.run([sys.executable, "-c", code], check=True)
