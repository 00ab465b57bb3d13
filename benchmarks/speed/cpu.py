"""Training throughput on a CPU: our loop, other common loops, and the machine's limit.

The same network, batch size and data (dSprites) on the same machine, each loop in its own process,
in turn, for several rounds:

    ours        `disentangle.train`, complete: fetching, noise, log, checks
    loader      torch's DataLoader with a conversion per image, a decoder that ends in a sigmoid,
                contiguous memory, torch's default Adam: the loop of disentangling-vae and 1Konny's
    workers     the same with two worker processes
    plain       a minimal loop over one batch in memory, as in tutorials: no data loading
    disent      disent 0.8 and its Lightning trainer, if installed in the folder given by --peers

The limit assumes that the floating-point operations of a step, as counted by torch, run at the
machine's fp32 matrix-product speed (2048 x 2048, best of 20).

    pip install --no-deps --target peers disent lightning lightning-utilities torchmetrics ...
    python benchmarks/speed/cpu.py --peers peers
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

import disentangle
from disentangle._utils.seeds import initialising, torch_rng
from disentangle.contracts import registry
from disentangle.contracts.model import Batch
from disentangle.training.checks import checked, term_sets

BATCH, WARM, STEPS, IMAGES, BETA, LR = 64, 15, 115, 20_000, 4.0, 5e-4


def plain_network(network: str) -> tuple[nn.Module, nn.Module]:
    """Build encoder and decoder from torch's own layers, with our initial weights."""
    model = registry.models.load("beta-vae")(network=network, likelihood="bernoulli")
    with initialising(0):
        model.build((1, 64, 64))
    return torchs_own(model.encoder), torchs_own(model.decoder)


def torchs_own(module: nn.Module) -> nn.Module:
    """Replace each of our layers in a network by torch's own layer."""
    for layer in module.modules():
        for kind in (nn.Conv2d, nn.ConvTranspose2d):
            if isinstance(layer, kind):
                layer.__class__ = kind
    return module


def array() -> np.ndarray:
    """Images [N, 64, 64] with values 0 and 1, as in the official file."""
    images = disentangle.load_dataset("dsprites").images(np.arange(IMAGES) * 36)
    return np.asarray(images[:, 0] // 255, np.uint8)


class Items(torch.utils.data.Dataset[Tensor]):
    """A dataset that returns images one by one and converts each separately."""

    def __init__(self) -> None:
        self.images = array()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        sample = np.expand_dims(self.images[index] * np.uint8(255), axis=-1)
        return torch.from_numpy(sample).permute(2, 0, 1).contiguous().float().div(255)


def endless(loader: DataLoader[Tensor]) -> Iterator[Tensor]:
    """Yield batches, epoch after epoch."""
    while True:
        yield from loader


def usual(
    network: str,
    batches: Iterator[Tensor],
    device: str = "cpu",
    steps: int = STEPS,
    warm: int = WARM,
) -> float:
    """Measure images per second of the loop used in most replications."""
    encoder, decoder = (part.to(device) for part in plain_network(network))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=LR)
    began = 0.0
    for step in range(steps):
        if step == warm:
            began = time.perf_counter()
        x = next(batches).to(device, non_blocking=True)
        mean, log_variance = encoder(x).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        output = torch.sigmoid(decoder(z))
        error = F.binary_cross_entropy(output, x, reduction="sum") / len(x)
        kl = -0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum(1).mean()
        loss = error + BETA * kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for a GPU
    return BATCH * (steps - warm) / (time.perf_counter() - began)


def loader(network: str) -> float:
    """Measure images per second with a DataLoader in this process."""
    return usual(network, endless(DataLoader(Items(), batch_size=BATCH, shuffle=True)))


def workers(network: str) -> float:
    """Measure images per second with a DataLoader with two worker processes."""
    items = DataLoader(Items(), batch_size=BATCH, shuffle=True, num_workers=2, drop_last=True)
    return usual(network, endless(items))


def plain(network: str) -> float:
    """Measure images per second without data loading."""
    x = torch.from_numpy(array()[:BATCH, None]).float()
    return usual(network, iter([x] * STEPS))


def ours(network: str) -> float:
    """Measure images per second of `disentangle.train`."""
    times: list[float] = []

    class Enough(Exception):
        pass

    def clock(step: int, steps: int, entry: dict[str, Any] | None) -> None:
        times.append(time.perf_counter())
        if step == STEPS:
            raise Enough

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Enough):
        disentangle.train(
            "beta-vae",
            "dsprites",
            network=network,
            beta=BETA,
            lr=LR,
            steps=100_000,
            results=folder,
            figures=False,
            device="cpu",
            report=clock,
        )
    return BATCH * (STEPS - WARM) / (times[-1] - times[WARM - 1])


def disent(network: str) -> float:
    """Measure images per second of disent's framework, dataset and trainer."""
    import lightning
    from disent.dataset import DisentDataset
    from disent.dataset.data import ArrayDataset
    from disent.dataset.sampling import SingleSampler
    from disent.dataset.transform import ToImgTensorF32
    from disent.frameworks.vae import BetaVae
    from disent.model import AutoEncoder, DisentDecoder, DisentEncoder

    encoder, decoder = plain_network(network)

    class Encoder(DisentEncoder):
        def __init__(self) -> None:
            super().__init__(x_shape=(1, 64, 64), z_size=10, z_multiplier=2)
            self.net = encoder

        def encode(self, x: Tensor) -> Any:
            return self.net(x)

    class Decoder(DisentDecoder):
        def __init__(self) -> None:
            super().__init__(x_shape=(1, 64, 64), z_size=10)
            self.net = decoder

        def decode(self, z: Tensor) -> Any:
            return self.net(z)

    data = ArrayDataset(array()[..., None] * np.uint8(255))
    dataset = DisentDataset(data, sampler=SingleSampler(), transform=ToImgTensorF32())
    module = BetaVae(
        model=AutoEncoder(encoder=Encoder(), decoder=Decoder()),
        cfg=BetaVae.cfg(
            optimizer="adam",
            optimizer_kwargs={"lr": LR},
            recon_loss="bce",
            loss_reduction="mean_sum",
            beta=BETA,
        ),
    )
    times: list[float] = []

    class Clock(lightning.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            times.append(time.perf_counter())

    trainer = lightning.Trainer(
        max_steps=STEPS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Clock()],
    )
    trainer.fit(module, DataLoader(dataset, batch_size=BATCH, shuffle=True))
    return BATCH * (STEPS - WARM) / (times[-1] - times[WARM - 1])


def limit(network: str) -> float:
    """Compute images per second if all operations ran at the speed of a matrix product."""
    size = 2048
    a, b = torch.randn(2, size, size, generator=torch_rng(0, "limit"))
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - began)
    model = registry.models.load("beta-vae")(network=network, likelihood="bernoulli")
    with initialising(0):
        model.build((1, 64, 64))
    model.encoder, model.decoder = plain_network(network)
    rng = torch_rng(0, "noise")
    batch = Batch(x=torch.rand(BATCH, 1, 64, 64), step=0, steps=1, dataset_size=1000, rng=rng)
    with FlopCounterMode(display=False) as counted:
        (terms,) = checked(term_sets(model.terms(batch)))
        sum(term.loss for term in terms.values()).backward()
    return BATCH / (counted.get_total_flops() / (2 * size**3 / min(seconds)))


LOOPS = {f.__name__: f for f in (ours, loader, workers, plain, disent, limit)}


def main() -> None:
    """Run the loops in turn and print medians and ratios; with --one, run one loop only."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", nargs="+", default=["burgess", "conv"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", help="folder with disent and its dependencies")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--force", action="store_true", help="measure on a busy machine")
    parser.add_argument("--one", nargs=2, metavar=("LOOP", "NETWORK"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peers:
        sys.path.append(options.peers)
    if options.one:
        torch.set_num_threads(options.threads)
        loop, network = options.one
        print(json.dumps(LOOPS[loop](network)))
        return
    load = os.getloadavg()[0]
    if load > 0.5 and not options.force:
        sys.exit(f"the load is {load:.2f}: wait until it is below 0.5, or use --force")
    names = [name for name in LOOPS if name != "disent" or options.peers]
    print(
        f"load {load:.2f}, {options.threads} threads, torch {torch.__version__}; images per second"
    )
    disentangle.load_dataset("dsprites")  # generate it once before timing
    for network in options.networks:
        speeds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                speeds[name].append(measured(name, network, options))
        print(f"\n{network}")
        medians = {name: statistics.median(values) for name, values in speeds.items()}
        for name, values in speeds.items():
            ratios = [a / b for a, b in zip(speeds["ours"], values, strict=True)]
            print(
                f"  {name:8} {medians[name]:7.0f} ({min(values):.0f} to {max(values):.0f})   "
                f"ours is {statistics.median(ratios):.2f} times that "
                f"({min(ratios):.2f} to {max(ratios):.2f})"
            )


def measured(name: str, network: str, options: argparse.Namespace) -> float:
    """Measure one loop in a separate process."""
    command = [sys.executable, __file__, "--one", name, network, "--threads", str(options.threads)]
    command += ["--peers", options.peers] if options.peers else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr}")
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
