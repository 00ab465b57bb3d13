"""Training throughput on a GPU: our loop and other common loops, alone and several at once.

The same network, batch size and data (dSprites), each loop in its own process, in turn, for several
rounds: `ours` with defaults, with `--precision bf16`, with `--compile` and with both; and the loops
of `cpu.py` on the GPU (a DataLoader with a conversion per image, in the same process and with four
workers; a minimal loop over one batch in memory). Then several of ours share the GPU: in a process
each, and with recorded steps in one process (`sweep` with `compile`).

    python benchmarks/speed/gpu.py
    python benchmarks/speed/gpu.py --networks burgess --loops compile --together 16 --steps 1000
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from cpu import BATCH, BETA, LR, Items, array, endless, usual
from torch.utils.data import DataLoader

import disentangle

WARM, STEPS = 300, 2_300
OURS: dict[str, dict[str, Any]] = {
    "ours": {},
    "bf16": {"precision": "bf16"},
    "compile": {"compile": True},
    "compile bf16": {"precision": "bf16", "compile": True},
}


def ours(network: str, steps: int, **options: Any) -> float:
    """Measure images per second of `disentangle.train`."""
    times: dict[int, float] = {}

    class Enough(Exception):
        pass

    def clock(step: int, total: int, entry: dict[str, Any] | None) -> None:
        if step in (WARM, steps):
            torch.cuda.synchronize()
            times[step] = time.perf_counter()
        if step == steps:
            raise Enough

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Enough):
        disentangle.train(
            "beta-vae",
            "dsprites",
            network=network,
            beta=BETA,
            lr=LR,
            steps=500_000,
            results=folder,
            figures=False,
            device="cuda",
            report=clock,
            **options,
        )
    return BATCH * (steps - WARM) / (times[steps] - times[WARM])


STUDY = """
pictures = false
[[runs]]
model = "beta-vae"
dataset = "dsprites"
network = "{network}"
beta = {beta}
lr = {lr}
batch_size = {batch}
compile = true
seeds = {count}
steps = {steps}

[[scores]]
metrics = ["mig"]  # quick to compute; the speed is that of the training alone
"""


def together(network: str, count: int, steps: int) -> float:
    """Measure the images per second of recorded trainings in one process, all taken together.

    The speed of each is taken from its log, from a fifth of its steps on, when all have started.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "together.toml"
        file.write_text(
            STUDY.format(network=network, beta=BETA, lr=LR, batch=BATCH, count=count, steps=steps),
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "disentangle", "sweep", str(file), "--results", folder]
        command += ["--device", "cuda", "--on", f"local:together={count}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return sum(logged_speed(log) for log in Path(folder).glob("together/*/*/*/log.jsonl"))


def logged_speed(log: Path) -> float:
    """The images per second of a training, from its log."""
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    first, last = entries[len(entries) // 5], entries[-1]
    return BATCH * float(last["step"] - first["step"]) / float(last["seconds"] - first["seconds"])


def loader(network: str, workers: int, steps: int) -> float:
    """Measure images per second with a DataLoader."""
    items = DataLoader(
        Items(), BATCH, shuffle=True, num_workers=workers, pin_memory=True, drop_last=True
    )
    return usual(network, endless(items), "cuda", steps, steps // 5)


def plain(network: str, steps: int) -> float:
    """Measure images per second without data loading."""
    x = torch.from_numpy(array()[:BATCH, None]).float().cuda()
    return usual(network, iter([x] * steps), "cuda", steps, steps // 5)


def measure(name: str, network: str, steps: int) -> float:
    """Measure images per second of a loop by name."""
    if name in OURS:
        return ours(network, steps, **OURS[name])
    if name == "plain":
        return plain(network, steps // 2)
    return loader(network, {"loader": 0, "workers": 4}[name], steps // 4)


def start(name: str, network: str, steps: int) -> subprocess.Popen[str]:
    """Start a loop in a separate process."""
    command = [sys.executable, __file__, "--one", name, network, "--steps", str(steps)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> float:
    """Wait for a loop and return its speed; exit with its error output if it failed."""
    output, error = process.communicate()
    if process.returncode:
        sys.exit(f"{process.args}: {error}")
    return float(output.splitlines()[-1])


def spread(values: list[float]) -> str:
    """The median of several measurements, with the smallest and the largest one."""
    return f"{statistics.median(values):7.0f} ({min(values):.0f} to {max(values):.0f})"


def report_alone(speeds: dict[str, list[float]]) -> None:
    """Print the speed of each loop, and its ratio to the faster DataLoader if that was measured."""
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    peer = max((medians[name] for name in ("loader", "workers") if name in medians), default=None)
    for name, values in speeds.items():
        ratio = f"{medians[name] / peer:.2f} times the faster DataLoader; " if peer else ""
        minutes = 500_000 * BATCH / medians[name] / 60
        print(
            f"  {name:12} {spread(values)}  {ratio}500,000 steps in {minutes:.1f} min", flush=True
        )


def report_together(
    network: str, count: int, rounds: int, steps: int, speeds: dict[str, list[float]]
) -> None:
    """Print the speed of several trainings at once: in one process, and in a process each.

    Args:
        network: the network.
        count: the number of trainings.
        rounds: the number of measurements in one process.
        steps: the steps of a training alone.
        speeds: the speeds of the loops alone; only those that were measured are started together.
    """

    def of_alone(name: str, total: float) -> str:
        alone = speeds.get(name)
        return f", {total / statistics.median(alone):.2f} times one alone" if alone else ""

    totals = [together(network, count, 4 * steps) for _ in range(rounds)]
    ratio = of_alone("compile", statistics.median(totals))
    print(f"  {count} x compile in one process: {spread(totals)} in total{ratio}", flush=True)
    if "ours" not in speeds:
        return
    for name in ("ours", "compile"):
        running = [start(name, network, steps) for _ in range(count)]
        total = sum(result(process) for process in running)
        print(f"  {count} x {name}: {total:.0f} in total{of_alone(name, total)}", flush=True)


def main() -> None:
    """Run the loops in turn and print medians and ratios; with --one, run one loop only."""
    names = [*OURS, "loader", "workers", "plain"]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", nargs="+", default=["burgess", "conv"])
    parser.add_argument("--loops", nargs="+", choices=names, default=names)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--together", type=int, nargs="*", default=[2, 4, 8, 16])
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of each of our loops")
    parser.add_argument("--one", nargs=2, metavar=("LOOP", "NETWORK"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.steps <= WARM:
        parser.error(f"--steps: expected more than {WARM}, got {options.steps}")
    if options.one:
        torch.set_num_threads(1)
        print(json.dumps(measure(*options.one, options.steps)))
        return
    if not torch.cuda.is_available():
        sys.exit("no GPU found")
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}; images per second", flush=True
    )
    disentangle.load_dataset("dsprites")  # generate it once before timing
    for network in options.networks:
        speeds: dict[str, list[float]] = {name: [] for name in options.loops}
        for _ in range(options.rounds):
            for name, values in speeds.items():
                values.append(result(start(name, network, options.steps)))
        print(f"\n{network}")
        report_alone(speeds)
        for count in options.together:
            report_together(network, count, options.rounds, options.steps, speeds)


if __name__ == "__main__":
    main()
