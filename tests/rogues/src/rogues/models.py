"""Models that nobody should write: each breaks the contract in one way."""

import torch

from disentangle import Model, knob


class Sound(Model):
    """A VAE, but for what the others do."""

    def before(self):
        """Nothing."""

    def terms(self, batch):
        """Return the two terms."""
        self.before()
        q = self.encode(batch.x)
        return {
            "reconstruction": self.reconstruction(batch.x, q.sample(batch.rng)),
            "kl": q.kl().sum(1).mean(),
        }


class Raising(Sound):
    """It raises in training."""

    def before(self):
        raise RuntimeError("no such luck")


class Mistyped(Sound):
    """Its code is wrong, and will be the next time."""

    def before(self):
        len(3)


class Unbuildable(Sound):
    """It raises when it is built."""

    def build(self, image_shape):
        raise RuntimeError("no such layer")


class Chatty(Sound):
    """It prints in training."""

    def before(self):
        print("look at me", end="!\n")


class Seeding(Sound):
    """It seeds the world in training."""

    def before(self):
        torch.manual_seed(0)


class Vector(Sound):
    """Its term is a vector."""

    def terms(self, batch):
        return {"kl": self.encode(batch.x).kl().sum(1)}


class Numbered(Sound):
    """Its terms have no names."""

    def terms(self, batch):
        return dict(enumerate(super().terms(batch).values()))


class Tuple(Sound):
    """Its code is none."""

    def encode(self, x):
        q = super().encode(x)
        return q.mean, q.log_variance


class Narrow(Sound):
    """Its images are smaller."""

    def decode(self, z):
        return super().decode(z)[..., 1:]


class Detached(Sound):
    """Nothing learns from its loss."""

    def terms(self, batch):
        return {"kl": self.encode(batch.x).kl().sum(1).mean().detach()}


class Leaver(Sound):
    """It ends the process in training."""

    def before(self):
        raise SystemExit(0)


class Bare(Model):
    """It has no terms."""


class WrongKnob(Sound):
    """Its knob's default is out of its bounds."""

    w: float = knob(default=-1.0, min=0, help="what it weighs")


class Infinite(Sound):
    """Its loss is not finite."""

    def terms(self, batch):
        return {"loss": self.encode(batch.x).mean.sum() / 0}


class Clashing(Sound):
    """Its knob is called like an option of the command."""

    steps: int = knob(default=1, help="nothing")
