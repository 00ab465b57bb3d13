"""Models: HalfVAE (nobody 2026)."""

import torch
from torch import Tensor, nn

from disentangle import Batch, Code, Model, Terms, knob


class HalfVAE(Model):
    """Half the KL of a VAE, times alpha."""

    alpha: float = knob(default=0.5, min=0, max=1, help="weight of the KL term")

    def terms(self, batch: Batch) -> Terms:
        q = self.encode(batch.x)
        return {
            "reconstruction": self.reconstruction(batch.x, q.sample(batch.rng)),
            "kl": self.alpha * q.kl().sum(1).mean(),
        }


class Duel(Model):
    """A VAE with an opponent that learns to guess the first latent from the others."""

    def build(self, image_shape: tuple[int, int, int]) -> None:
        super().build(image_shape)
        self.guesser = nn.Linear(self.latents - 1, 1)

    def opponent(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.guesser.parameters(), lr=1e-2, fused=True)

    def terms(self, batch: Batch) -> tuple[Terms, Terms]:
        q = self.encode(batch.x)
        z = q.sample(batch.rng)
        mine = {
            "reconstruction": self.reconstruction(batch.x, z),
            "kl": q.kl().sum(1).mean(),
            "guessable": -self._miss(z),
        }
        return mine, {"miss": self._miss(z.detach())}

    def _miss(self, z: Tensor) -> Tensor:
        return (self.guesser(z[:, 1:]) - z[:, :1]).square().mean()


class Exploding(Model):
    """A loss that is not finite from the sixth step on."""

    def terms(self, batch: Batch) -> Terms:
        q = self.encode(batch.x)
        kl = q.kl().sum(1).mean()
        return {
            "reconstruction": self.reconstruction(batch.x, q.mean),
            "kl": kl / 0 if batch.step >= 5 else kl,
        }


class PlainCode(Model[Code]):
    """A deterministic autoencoder: a code, no posterior, no KL."""

    def encode(self, x: Tensor) -> Code:
        return Code(self.encoder(x)[:, : self.latents].float())

    def terms(self, batch: Batch) -> Terms:
        return {"reconstruction": self.reconstruction(batch.x, self.encode(batch.x).mean)}
