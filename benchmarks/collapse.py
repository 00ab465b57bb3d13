"""Posterior collapse, predicted and observed: trainings over beta beside the predicted onset.

One command trains, resumes or reuses a run for each dataset, network, beta and warm-up, and prints
a Markdown table. Measurements at the end of a run:

    active      latents whose posterior means vary over images, Var_x[mean] > 0.01
    spread      the largest Var_x[mean] of a latent
    kl          nats per image
    error       reconstruction error, nats per image
    decoder     variance of decoded images over z ~ p(z), in % of the variance of the dataset
    growth      factor by which the largest KL of a latent grows in 100 steps, median of the last 5
    dead        ReLU units (channels of convolutions) that none of 512 images activates, of all
                units: encoder, then decoder; before training in brackets

A network with dead units cannot recover from collapse; a network whose encoder and decoder are
merely weak can, and the growth shows how fast.

    python benchmarks/collapse.py --results collapse --steps 1500
"""

import argparse
from typing import Any

import numpy as np
import torch
from torch import nn

import disentangle
from disentangle._utils.seeds import numpy_rng, torch_rng
from disentangle._utils.tensors import as_input
from disentangle.contracts.dataset import Dataset
from disentangle.runs.run import Run
from disentangle.training.collapse import predict

COLUMNS = "dataset network beta/onset beta warm-up lr seed".split()
COLUMNS += "active spread kl error decoder growth dead".split()


def dead_units(module: nn.Module, x: torch.Tensor) -> tuple[int, int]:
    """Count the ReLU units of `module` that no input [N, ...] activates, and all its ReLU units."""
    dead, units = 0, 0

    def look(_: nn.Module, __: Any, output: torch.Tensor) -> None:
        nonlocal dead, units
        on = (output > 0).transpose(0, 1).flatten(1).any(1)
        dead, units = dead + int((~on).sum()), units + len(on)

    hooks = [m.register_forward_hook(look) for m in module.modules() if isinstance(m, nn.ReLU)]
    with torch.no_grad():
        module(x)
    for hook in hooks:
        hook.remove()
    return dead, units


def seen(run: Run, dataset: Dataset) -> list[str]:
    """Measure a finished run; return the cells of its table row."""
    index = numpy_rng(0, "collapse").permutation(len(dataset))[:512]
    x = as_input(dataset.images(index), dataset.image_shape)
    model = run.model
    with torch.no_grad():
        q = model.encode(x)
        prior = torch.randn(q.mean.shape, generator=torch_rng(0, "prior"))
        decoded = model.observation.mean(model.decode(prior))
    codes = q.sample(torch_rng(0, "posterior"))
    first = run.build()
    dead, before = (
        [dead_units(part, inputs) for part, inputs in ((m.encoder, x), (m.decoder, codes))]
        for m in (model, first)
    )
    last = run.log[-1]
    largest = np.maximum([max(entry["kl"]) for entry in run.log], 1e-9)
    between = np.diff([entry["step"] for entry in run.log])
    rates = (largest[1:] / largest[:-1]) ** (100 / between)
    return [
        f"{last['active']}",
        f"{float(q.mean.var(0).max()):.1e}",
        f"{sum(last['kl']):.2f}",
        f"{last['terms']['reconstruction']:.1f}",
        f"{100 * float(decoded.var(0).sum() / x.var(0).sum()):.2g} %",
        f"{np.median(rates[-5:]):.2f}",
        ", ".join(
            f"{now[0]} of {now[1]} ({then[0]})" for now, then in zip(dead, before, strict=True)
        ),
    ]


def main() -> None:
    """Train missing runs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", default="collapse")
    parser.add_argument("--datasets", nargs="+", default=["dsprites", "chairs-parametric"])
    parser.add_argument("--networks", nargs="+", default=["burgess", "conv"])
    parser.add_argument("--betas", nargs="+", type=float, default=[4, 16, 64, 120])
    parser.add_argument(
        "--fractions",
        nargs="*",
        type=float,
        default=[1.2],
        help="more values of beta, as multiples of the onset",
    )
    parser.add_argument("--warmups", nargs="+", type=int, default=[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--steps", type=int, default=1500)
    options = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}", flush=True)
    for name in options.datasets:
        dataset = disentangle.load_dataset(name)
        onset = predict(dataset, "bernoulli", 0.5, 1.0, 10).onset
        betas = [*options.betas, *(round(f * onset.value) for f in options.fractions)]
        for network in options.networks:
            for beta in betas:
                for warmup in options.warmups:
                    for seed in options.seeds:
                        run = disentangle.train(
                            "beta-vae",
                            dataset,
                            network=network,
                            beta=float(beta),
                            kl_warmup=warmup,
                            likelihood="bernoulli",
                            lr=options.lr,
                            steps=options.steps,
                            seed=seed,
                            results=options.results,
                            figures=False,
                        )
                        case = [name, network, f"{beta / onset.value:.2f}", f"{beta:g}"]
                        recipe = [str(warmup), f"{options.lr:g}", str(seed)]
                        print(
                            f"| {' | '.join([*case, *recipe, *seen(run, dataset)])} |", flush=True
                        )


if __name__ == "__main__":
    main()
