"""Plugins for testing the conformance kit: correct ones, and others that each break one rule.

The paper of these plugins: https://example.org/paper.
"""

import hashlib
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from disentangle import (
    Dataset,
    Detail,
    Grid,
    Labelled,
    Metric,
    Model,
    Posterior,
    Term,
    Unavailable,
    knob,
)


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
    """Its KL term is a vector."""

    def kl(self, q):
        return q.kl().sum(1)


class NotFinite(Right):
    """Its KL term is NaN."""

    def kl(self, q):
        return super().kl(q) * float("nan")


class Summed(Right):
    """Its KL term is a sum over the batch."""

    def kl(self, q):
        return q.kl().sum()


class SummedValue(Right):
    """It logs the sum of the KL over the batch, though it minimises the mean."""

    def terms(self, batch):
        terms = super().terms(batch)
        return {**terms, "kl": Term(terms["kl"], self.encode(batch.x).kl().sum())}


class Total(Right):
    """It returns the sum of its terms instead of the terms."""

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
    """It seeds torch before its weights are initialised."""

    def build(self, image_shape):
        torch.manual_seed(0)
        super().build(image_shape)


class Doubles(Right):
    """It changes the default dtype of all tensors."""

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
    """It changes the value of its knob to a rounded one."""

    def __post_init__(self):
        super().__post_init__()
        self.beta = float(int(self.beta / 2) * 2)


class NoHelp(Right):
    """It has a knob without help text."""

    gamma: float = knob(default=1.0, help=" ")


class LongLine(Right):
    """Its line for `disentangle list` is none."""

    about = "x" * 81


class BadDefault(Right):
    """It has a knob whose default is out of bounds."""

    gamma: float = knob(default=-1.0, min=0, help="weight")


class HiddenState(Right):
    """It keeps a random tensor that is not saved in checkpoints."""

    def build(self, image_shape):
        super().build(image_shape)
        self.shift = torch.rand(self.latents)

    def encode(self, x):
        q = super().encode(x)
        return Posterior(q.mean + self.shift, q.log_variance)


class TooFewLatents(Right):
    """It has one latent fewer than its knob says."""

    def encode(self, x):
        q = super().encode(x)
        return Posterior(q.mean[:, 1:], q.log_variance[:, 1:])

    def decode(self, z):
        return super().decode(torch.cat([z, z[:, :1]], 1)[:, : self.latents])


class NoOpponent(Right):
    """It returns an opponent's terms without having an opponent."""

    def terms(self, batch):
        return super().terms(batch), {}


class Backwards(Right):
    """Its traversal values are in descending order."""

    def traversal(self, latent, n):
        return super().traversal(latent, n).flip(0)


class PairsOutside(Right):
    """It pairs images with indices beyond the last image."""

    def pair(self, dataset, index, rng):
        return np.asarray(index) + len(dataset) - 1


class AsksWithoutPairs(Right):
    """It reads which factors differ in pairs, but makes no pairs."""

    reads_changed = True


class AsksWithoutLabels(Right):
    """It reads which factors differ in pairs of images that need not have labels."""

    reads_changed = True

    def pair(self, dataset, index, rng):
        return index


class KnowsLabels(Right):
    """It is given the labels of images that need not have any, and does not say so."""

    def labelled_images(self):
        return 5


class ComparesImages(Right):
    """Its KL term has the spread of means over the batch, which is 0 for one image."""

    def kl(self, q):
        return (q.mean - q.mean.mean(0)).square().sum(1).mean()


class DecaysOthers(Right):
    """It leaves a parameter that it does not have out of the weight decay."""

    def undecayed(self):
        return [nn.Parameter(torch.zeros(2))]


class NoSource(Right):
    """Its module has no link to a source."""


NoSource.__module__ = "colorsys"


class NoDocstring(Right):
    pass


class Leaver(Right):
    """It ends the process."""

    def terms(self, batch):
        raise SystemExit(0)


class Raises(Right):
    """It raises an exception."""

    def terms(self, batch):
        raise ZeroDivisionError("of course")


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
    """Images with values 0 and 1."""

    def images(self, index):
        return super().images(index) // 200


class Sorted(Squares):
    """Images in ascending order of index."""

    def images(self, index):
        return super().images(np.sort(index))


class Wraps(Squares):
    """Indices out of range wrap around."""

    def images(self, index):
        return super().images(np.asarray(index) % len(self))


class FromOne(Squares):
    """Labels that start at 1."""

    def every_label(self, index):
        return super().every_label(index) + 1

    def images(self, index):
        return Squares().images(index)

    def index(self, labels):
        return super().index(np.asarray(labels) - 1)


class ColumnMajor(Squares):
    """An index in column-major order, unlike the images."""

    def index(self, labels):
        x, shade = np.atleast_2d(labels).T
        return x + 7 * shade


class Strangers(Squares):
    """Images that do not share the factor's value."""

    def sharing(self, factor, index, rng):
        return rng.integers(0, len(self), len(index))


class OwnDraw(Squares):
    """Images that share a factor's value, drawn from a generator of its own."""

    def sharing(self, factor, index, rng):
        return super().sharing(factor, index, np.random.default_rng())


class Same(Squares):
    """Each image is paired with itself."""

    def sharing(self, factor, index, rng):
        return np.asarray(index)


class Restless(Squares):
    """A fingerprint that changes every time."""

    count = 0

    @property
    def fingerprint(self):
        Restless.count += 1
        return f"{Restless.count:064x}"


class Overlapping(Squares):
    """Splits that overlap."""

    @property
    def splits(self):
        index = np.arange(len(self))
        return {"all": index, "train": index[:30], "test": index[20:]}


class Poisson(Squares):
    """An unknown likelihood."""

    likelihood = "poisson"


class Comma(Squares):
    """A factor whose name contains a comma."""

    def __init__(self):
        super().__init__({"x,y": 7, "shade": 6})


class Repeated(Squares):
    """A factor with two values of the same number."""

    def __init__(self):
        super().__init__({"x": 7, "shade": 3})
        self.numbers = {"shade": [1.0, 2.0, 2.0]}


class OfNothing(Squares):
    """A kind of a factor that it does not have."""

    kinds: ClassVar = {"hue": "ordinal"}


class MisspeltKind(Squares):
    """A kind that there is not."""

    kinds: ClassVar = {"shade": "ordinl"}


class RealWords(Squares):
    """Real numbers of a categorical factor."""

    real = frozenset({"shade"})


class RealGrid(Squares):
    """A grid of real numbers."""

    kinds: ClassVar = {"shade": "continuous"}
    numbers: ClassVar = {"shade": np.linspace(0, 1, 6)}


class OtherUnit(Squares):
    """A period in degrees, of labels."""

    kinds: ClassVar = {"shade": "cyclic=360"}


class SecondTurn(Squares):
    """Numbers beyond one period."""

    kinds: ClassVar = {"shade": "cyclic=360"}
    numbers: ClassVar = {"shade": np.linspace(0, 720, 6)}


class Measured(Labelled):
    """Images of a continuous factor and an angle, as they should be."""

    image_shape, source, fingerprint = (1, 8, 10), "drawn", Squares.fingerprint
    every_factor: ClassVar = {"height": 42, "turn": 42, "shape": 6}
    kinds: ClassVar = {"height": "continuous", "turn": "cyclic=1"}
    real = frozenset({"turn"})
    numbers: ClassVar = {"height": np.linspace(-1, 3, 42), "turn": np.linspace(0, 0.97, 42)}

    def __len__(self):
        return 42

    def images(self, index):
        return Squares().images(index)

    def every_label(self, index):
        index = self._index(index)
        return np.stack([index, index * 5 % 42, index % 6], 1)


class Unmeasured(Measured):
    """A continuous factor without numbers."""

    numbers: ClassVar = {"turn": Measured.numbers["turn"]}


class Unsorted(Measured):
    """Real numbers in another order than the labels."""

    numbers: ClassVar = {**Measured.numbers, "height": Measured.numbers["height"][::-1]}


class Tells(Squares):
    """It prints the number of images it reads."""

    def images(self, index):
        print(len(index), "images")
        return super().images(index)


class Faces(Dataset):
    """Images without labels."""

    image_shape, source, fingerprint = (1, 8, 10), "drawn", Squares.fingerprint

    def __len__(self):
        return 42

    def images(self, index):
        return Squares().images(index)


class Told(Metric[Labelled]):
    """The largest correlation of a latent with each factor, averaged."""

    samples: int = knob(default=200, min=2, help="images")

    def score(self, source, rng):
        z, v, _, _ = source.train_test(self.samples, 0, rng)
        if not v.size or (z.std(0) == 0).all() or (v.std(0) == 0).any():
            raise Unavailable("a factor or every latent is constant in these samples")
        with np.errstate(invalid="ignore"):  # a constant latent
            both = np.corrcoef(np.hstack([z, v]), rowvar=False)
        r = np.abs(both[: z.shape[1], z.shape[1] :])  # [D, K]
        return {"told": float(np.nanmax(r, 0).mean()), "told/each": Detail(("factor",), r.max(0))}


class Unseeded(Told):
    """It draws images from a generator of its own."""

    def score(self, source, rng):
        return super().score(source, np.random.default_rng())


class First(Told):
    """It reads only the first latent."""

    def score(self, source, rng):
        z, v, _, _ = source.train_test(self.samples, 0, rng)
        if not v.size or z[:, 0].std() == 0 or v[:, 0].std() == 0:
            raise Unavailable("constant")
        return {"told": abs(float(np.corrcoef(z[:, 0], v[:, 0])[0, 1]))}


class Less(Told):
    """Its score decreases as codes improve."""

    def score(self, source, rng):
        return {name: 1 - x for name, x in super().score(source, rng).items() if name == "told"}


class DeclaredLess(Less):
    """Its score decreases as codes improve, and it declares so."""

    better = MappingProxyType({"told": "less"})


class Misspelt(Told):
    """It declares a direction for a score that it does not return."""

    better = MappingProxyType({"tolld": "more"})


class DeclaredOnRequest(Told):
    """It declares a direction for a score that it returns with other knobs, and displays it."""

    better = MappingProxyType({"told/null": "neither"})
    displays = MappingProxyType({"told/null": "Told null"})


class ClaimsMore(Told):
    """It claims a property that there is not."""

    claims = MappingProxyType({"told": ("modularity",)})


class NoSuchCase(Told):
    """It declares a limitation in a case that there is not."""

    limitations = MappingProxyType({"rescaled": "it is in units of the code"})


class PerCent(Told):
    """Its score of a good code is in per cent."""

    def score(self, source, rng):
        told = super().score(source, rng)["told"]
        return {"told": told if told < 0.5 else 100 * told}


class InUnits(Told):
    """It leaves out latents of a small range."""

    def score(self, source, rng):
        z, _, _, _ = source.train_test(self.samples, 0, rng)
        return {"told": super().score(source, rng)["told"] * (z.std(0) > 0.1).mean()}


class Scaled(Told):
    """It leaves out latents of a small range, but for those that never change."""

    def score(self, source, rng):
        z, _, _, _ = source.train_test(self.samples, 0, rng)
        small = (z.std(0) > 0) & (z.std(0) < 0.1)
        return {"told": super().score(source, rng)["told"] * (1 - small.mean())}


class DeclaredInUnits(InUnits):
    """It leaves out latents of a small range, and declares so."""

    limitations = MappingProxyType(
        {"scaled": "its threshold is absolute", "beside constants": "they count 0"}
    )


class CountsConstants(Told):
    """Latents that never change count 0 in its mean over latents."""

    def score(self, source, rng):
        z, _, _, _ = source.train_test(self.samples, 0, rng)
        return {"told": super().score(source, rng)["told"] * (z.std(0) > 0).mean()}


class FirstRows(Told):
    """It takes the first rows for a sample."""

    def score(self, source, rng):
        _, v, _, _ = source.train_test(self.samples, 0, rng)
        return {"told": super().score(source, rng)["told"] * (np.ptp(v[:20], 0) > 0).mean()}


class ByHeart(Told):
    """It learns rows by heart."""

    def score(self, source, rng):
        z, v, test_z, test_v = source.train_test(self.samples, self.samples, rng)
        known = {(*code, *label) for code, label in zip(z.tolist(), v.tolist(), strict=True)}
        rows = zip(test_z.tolist(), test_v.tolist(), strict=True)
        share = np.mean([(*code, *label) in known for code, label in rows])
        return {"told": max(super().score(source, rng)["told"], 0.9 * float(share))}


class Crashes(Told):
    """It divides by the number of factors, which may be 0."""

    def score(self, source, rng):
        assert 1 / len(source.factors)
        return super().score(source, rng)


class NeedsModel(Told):
    """It reads the model even if there is none."""

    of_model = True

    def score(self, source, rng):
        return {"told": float(source.model.latents)}


class Claims(Told):
    """It declares that it evaluates the model, but reads only codes."""

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
    """It prints while scoring."""

    def score(self, source, rng):
        print("told")
        return super().score(source, rng)


class ShortDetail(Told):
    """Its detail lacks a factor."""

    def score(self, source, rng):
        scores = super().score(source, rng)
        return {**scores, "told/each": Detail(("factor",), scores["told/each"].values[1:])}
