"""Training throughput on a GPU: our loop and other common loops, alone and several at once.

The same network, batch size and data (dSprites), each loop in its own process, in turn, for several
rounds: `ours` with defaults, with `--precision bf16`, with `--compile` and with both; and the loops
of `cpu.py` on the GPU (a DataLoader with a conversion per image, in the same process and with four
workers; a minimal loop over one batch in memory). Then several of ours share the GPU: in a process
each, and with recorded steps in one process (`sweep` with `compile`).

    python benchmarks/speed/gpu.py
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


def main() -> None:
    """Run the loops in turn and print medians and ratios; with --one, run one loop only."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", nargs="+", default=["burgess", "conv"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--together", type=int, nargs="*", default=[2, 4, 8, 16])
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of each of our loops")
    parser.add_argument("--one", nargs=2, metavar=("LOOP", "NETWORK"), help=argparse.SUPPRESS)
    options = parser.parse_args()
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
    names = [*OURS, "loader", "workers", "plain"]
    for network in options.networks:
        speeds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                speeds[name].append(result(start(name, network, options.steps)))
        peer = max(statistics.median(speeds[name]) for name in ("loader", "workers"))
        print(f"\n{network}")
        for name, values in speeds.items():
            median = statistics.median(values)
            print(
                f"  {name:12} {median:7.0f} ({min(values):.0f} to {max(values):.0f})  "
                f"{median / peer:.2f} times the faster DataLoader; "
                f"500,000 steps in {500_000 * BATCH / median / 60:.1f} min",
                flush=True,
            )
        recorded = statistics.median(speeds["compile"])
        for count in options.together:
            totals = [together(network, count, 4 * options.steps) for _ in range(options.rounds)]
            print(
                f"  {count} x compile in one process: {statistics.median(totals):.0f} in total "
                f"({min(totals):.0f} to {max(totals):.0f}), "
                f"{statistics.median(totals) / recorded:.2f} times one alone",
                flush=True,
            )
            for name in ("ours", "compile"):
                running = [start(name, network, options.steps) for _ in range(count)]
                total = sum(result(process) for process in running)
                alone = statistics.median(speeds[name])
                print(
                    f"  {count} x {name}: {total:.0f} in total, {total / alone:.2f} "
                    "times one alone",
                    flush=True,
                )


if __name__ == "__main__":
    main()
