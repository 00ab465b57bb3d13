"""Seconds of `disentangle table` over thousands of runs, in a study like Locatello et al. (2019).

    python benchmarks/many_runs.py FOLDER [--runs 10000] [--rounds 3]

Creates the run folders below FOLDER if they do not exist: 6 models with 6 settings and 50 seeds
each, dataset by dataset, 8 scores per run. Nothing is trained: records are built by the package's
own functions, and scores are those of random codes with values drawn at random. Then it times the
command, first without and then with the cached index of runs.
"""

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from disentangle import score_codes
from disentangle._utils.versions import now
from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.settings import resolve
from disentangle.runs.records import DatasetRecord, RunRecord
from disentangle.runs.score_records import Score, ScoreFile
from disentangle.training.configuration import make_record

DATASETS = ("cars3d", "dsprites", "mpi3d-toy", "shapes3d", "smallnorb", "chairs", "mpi3d-real")
FACTORS = {"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32}
KNOBS = {
    "beta-vae": ("beta", (1, 2, 4, 6, 8, 16)),
    "annealed-vae": ("capacity", (5, 10, 25, 50, 75, 100)),
    "factor-vae": ("gamma", (10, 20, 30, 40, 50, 100)),
    "dip-vae-i": ("lambda_od", (1, 2, 5, 10, 20, 50)),
    "dip-vae-ii": ("lambda_od", (1, 2, 5, 10, 20, 50)),
    "beta-tcvae": ("beta", (1, 2, 4, 6, 8, 10)),
}
SEEDS = range(50)
METRICS = ("beta-vae-score", "dci", "factor-vae-score", "mig", "modularity", "sap")
COUNTED = {"beta-vae-score": 5_000, "factor-vae-score": 5_000}
"""Scores that are a share of this number of test points, so that two seeds may tie."""


def template_scores() -> list[Score]:
    """Score records of random codes."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, tuple(FACTORS.values()), (300, len(FACTORS)))
    codes = factors @ rng.normal(size=(len(FACTORS), 10)) + rng.normal(size=(300, 10))
    return list(score_codes(codes, factors, metrics=METRICS, names=tuple(FACTORS)).records)


def records() -> Iterator[RunRecord]:
    """Yield the record of each run, seed by seed."""
    for name, (model, (knob, values)) in itertools.product(DATASETS, KNOBS.items()):
        dataset = DatasetRecord(
            name=name,
            fingerprint=f"{DATASETS.index(name):064x}",
            source="official",
            strength="grid",
            images=int(np.prod(list(FACTORS.values()))),
            image_shape=(3, 64, 64),
            factors=FACTORS,
        )
        kind = registry.models.load(model)
        for value in values:
            record = make_record(
                model,
                kind,
                resolve(kind, {knob: float(value)}, image_shape=dataset.image_shape),
                resolve(Training, {"steps": 300_000}),
                dataset,
                torch.device("cpu"),
            )
            for seed in SEEDS:
                seeded = record.training["seed"].model_copy(
                    update={"value": seed, "origin": "given"}
                )
                yield record.model_copy(update={"training": {**record.training, "seed": seeded}})


def make_runs(results: Path, count: int) -> None:
    """Write the folders of `count` runs, with the files that training and scoring leave."""
    scores, rng = template_scores(), np.random.default_rng(0)
    for number, record in enumerate(itertools.islice(records(), count)):
        if number % len(SEEDS) == 0:
            centres = rng.uniform(0.2, 0.6, len(scores))
        weights = rng.bytes(32).hex()
        done = record.model_copy(update={"finished": now(), "seconds": 3600.0, "weights": weights})
        values = np.clip(rng.normal(centres, 0.08), 0, 1)
        drawn = []
        for score, value in zip(scores, values, strict=True):
            size = COUNTED.get(score.name)
            update = {
                "value": float(round(value * size) / size if size else value),
                "weights": weights,
                "fingerprint": record.dataset.fingerprint,
            }
            drawn.append(score.model_copy(update=update))
        folder = results / "study" / record.dataset.name / record.model / record.id
        (folder / "figures").mkdir(parents=True)
        (folder / "figures" / "kl.png").write_bytes(b"")
        (folder / "figures" / "traversals.png").write_bytes(b"")
        (folder / "log.jsonl").write_text('{"step": 300000}\n')
        (folder / "run.json").write_text(done.model_dump_json(indent=2) + "\n")
        file = ScoreFile(scores=tuple(drawn))
        (folder / "scores.json").write_text(file.model_dump_json(indent=2) + "\n")


def seconds(results: Path, cache: Path) -> float:
    """Measure the seconds that the command takes, including the start of the process."""
    command = [sys.executable, "-m", "disentangle", "table", "--results", str(results)]
    began = time.perf_counter()
    subprocess.run(
        command,
        env={**os.environ, "DISENTANGLE_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - began


def main() -> None:
    """Make the runs, and time the table of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    results = given.folder / f"runs-{given.runs}"
    if not results.exists():
        part = given.folder / f"{results.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        make_runs(part, given.runs)
        part.rename(results)
    print(f"{given.runs:,} runs; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as cache:
            cold, warm = (seconds(results, Path(cache)) for _ in range(2))
        print(f"cold {cold:6.2f} s   warm {warm:6.2f} s")


if __name__ == "__main__":
    main()
