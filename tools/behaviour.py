"""Record the behaviour of disentangle, and compare two records: a guard for refactoring.

    python tools/behaviour.py record before.json     # on one commit
    python tools/behaviour.py record after.json      # on another, on the same machine
    python tools/behaviour.py compare before.json after.json

A record has two parts. `numbers` must not change by accident: run ids, digests of final weights,
logs, all scores, the published tables and all numbers on the published pages. `words` are help
texts, the output of `show` and the text of pages. `compare` exits with 1 if a number differs;
differences in words are counted, and shown with --words.

Takes about three minutes on two cores. Uses only the command line and the public functions.
"""

import argparse
import difflib
import html
import json
import os
import re
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
ROOT = Path(__file__).parents[1]
PUBLISHED = ("quick", "beta-sweep", "protocols")
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "vae": ("vae", {}),
    "beta-vae, normalised": ("beta-vae", {"beta_norm": 0.01, "seed": 1}),
    "beta-vae, clipped": ("beta-vae", {"beta": 4.0, "clip": 1.0, "optimizer": "adagrad"}),
    "beta-vae, held out": ("beta-vae", {"hold_out": ["0.25"], "kl_warmup": 5}),
    "factor-vae": ("factor-vae", {"score_every": 6, "metrics": ["mig"]}),
    "beta-tcvae": ("beta-tcvae", {"likelihood": "gaussian-learned"}),
    "dip-vae-ii": ("dip-vae-ii", {"likelihood": "gaussian", "variance": 0.1}),
    "ada-gvae": ("ada-gvae", {"network": "burgess", "optimizer": "adamw"}),
    "ml-vae": ("ml-vae", {"pairs": "locatello2020"}),
    "slow-vae": ("slow-vae", {"categorical": "side"}),
    "annealed-vae": ("annealed-vae", {"likelihood": "continuous-bernoulli"}),
    "qlae": ("qlae", {"keep": "every:6"}),
    "tripod": ("tripod", {"latents": 6}),
    "bio-ae": ("bio-ae", {"optimizer": "adamw", "weight_decay": 1e-4}),
    "factor-qvae": ("factor-qvae", {"lr_schedule": "cosine", "likelihood": "gaussian"}),
    "dvae": ("dvae", {"kl_warmup": 5}),
    "hfs-vae": ("hfs-vae", {"scale_over": "batch"}),
    "jl1-vae": ("jl1-vae", {"kl_warmup": 5}),
    "nash-ae": ("nash-ae", {"latents": 4}),
    "s2-beta-vae": ("s2-beta-vae", {"labelled": 20}),
}
"""Short runs: name -> model and options."""
SCORED = ("vae", "beta-vae, held out", "qlae")
"""The runs that are scored with all metrics."""
SIZES = {
    ("samples",): "dcimig fid infomec irs jemmig kid mcc mig mig-sup minimality modularity "
    "orthogonality reconstruction sap-r2 sufficiency tad total-correlation",
    ("train", "test"): "beta-vae-score dci dci-es dci-lgbm explicitness fairness nk r2 sap snc",
    ("pairs",): "omes",
    ("train", "test", "variances"): "factor-vae-score",
    ("test",): "downstream",
}
"""Knobs that set the number of images a metric reads -> the metrics that have them."""
PROTOCOL = """
about = "small samples, so that all metrics take seconds"
points = "independent"
representations = ["mean", "sample"]
"""


def main() -> int:
    """Run the command line: record or compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record")
    recording.add_argument("file", type=Path)
    comparing = verbs.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--words", action="store_true", help="show how words differ")
    options = parser.parse_args()
    if options.verb == "compare":
        return compare(options.before, options.after, options.words)
    with tempfile.TemporaryDirectory() as folder:
        content = record(Path(folder))
    options.file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return 0


def record(folder: Path) -> dict[str, Any]:
    """Make a record, using an empty folder for runs and pages."""
    os.environ["DISENTANGLE_CACHE"] = str(folder / "cache")
    numbers: dict[str, Any] = {}
    words: dict[str, Any] = {}
    data = dataset(folder / "grid.npz")
    runs = {}
    for name in RUNS:
        runs[name] = trained(name, data, folder / "results")
        numbers[f"run {name}"] = run_numbers(runs[name])
    for name in SCORED:
        scores = all_scores(runs[name], folder)
        numbers[f"scores {name}"], words[f"scores {name}"] = apart(scores)
    page = folder / "run.html"
    disentangle("report", runs["vae"], "--output", page)
    numbers["page of a run"], words["page of a run"] = page_of(page)
    for study in PUBLISHED:
        numbers[f"table {study}"], words[f"table {study}"] = apart(table(study))
        disentangle("report", ROOT / "results" / study, "--output", page)
        numbers[f"page {study}"], words[f"page {study}"] = page_of(page)
    listed = json.loads(disentangle("list", "--json"))
    numbers["plugins"] = [f"{p['kind']} {p['name']}" for p in listed["plugins"]]
    for plugin in listed["plugins"]:
        words[f"show {plugin['kind']} {plugin['name']}"] = disentangle("show", plugin["name"])
    for verb in verbs_of(()):
        words[f"help {' '.join(verb)}"] = disentangle(*verb, "--help")
    return {"numbers": numbers, "words": words}


def dataset(file: Path) -> Path:
    """Write a grid of 144 images of 32 x 32 pixels with their factors; return the path."""
    import numpy as np

    axes = {"side": 3, "x": 4, "y": 4, "shade": 3}
    factors = np.array(list(product(*map(range, axes.values()))))
    images = np.zeros((len(factors), 32, 32), np.uint8)
    for image, (side, x, y, shade) in zip(images, factors, strict=True):
        image[2 + 6 * y : 6 + 6 * y + 2 * side, 2 + 6 * x : 6 + 6 * x + 2 * side] = 85 * (shade + 1)
    np.savez(file, images=images, factors=factors, factor_names=np.array(list(axes)))
    return file


def trained(name: str, data: Path, results: Path) -> Path:
    """Train one run; return its folder."""
    import torch

    import disentangle

    torch.set_num_threads(1)
    model, options = RUNS[name]
    folder = results / re.sub(r"\W+", "-", name)
    fixed = {"steps": 12, "batch_size": 16, "lr": 1e-3, "figures": False, "device": "cpu"}
    run = disentangle.train(model, str(data), results=folder, **{**fixed, **options})
    return Path(run.path)


def run_numbers(path: Path) -> dict[str, Any]:
    """The content of a run's record and log, without times, versions and paths."""
    made = json.loads((path / "run.json").read_text())
    lines = [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()]
    return {
        "id": path.name,
        "files": sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()),
        "record": {
            k: made[k]
            for k in ("settings", "training", "normalised", "preset", "midway", "weights")
        },
        "fields": sorted(made),
        "log": [without(line, "images_per_second", "seconds") for line in lines],
    }


def all_scores(path: Path, folder: Path) -> list[dict[str, Any]]:
    """Score a run with all metrics under a protocol of small samples; return the scores file."""
    from disentangle import score

    protocol = folder / "small.toml"
    lines = [PROTOCOL]
    for knobs, metrics in SIZES.items():
        for name in metrics.split():
            lines += [f"[knobs.{name}]", *(f"{knob} = 240" for knob in knobs)]
    protocol.write_text("\n".join(lines) + "\n")
    score(path, ["all"], protocol=protocol, device="cpu")
    scores = json.loads((path / "scores.json").read_text())["scores"]
    return [without(one, "seconds", "packages") for one in scores]


def table(study: str) -> Any:
    """The tables of a published study as JSON."""
    words = ("--results", ROOT / "results", "--study", study, "--baselines", "--corrected")
    return without(json.loads(disentangle("table", *words, "--format", "json")), "made_by")


def page_of(file: Path) -> tuple[list[str], list[str]]:
    """The numbers and the lines of text on a page, without versions, commits and times."""
    text = file.read_text()
    text = re.sub(r"<style.*?</style>|disentangle \d[^<]*", "", text, flags=re.DOTALL)
    text = re.sub(r"/tmp/\w+|\b\d+\.\d+\.\d+\b|[0-9a-f]{12}(-dirty)?(?=\W)", "", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:+]+|\b\d+ s\b", "", text)
    shown = html.unescape(
        re.sub(r"<[^>]*>", "\n", re.sub(r"<script.*?</script>", "", text, flags=re.S))
    )
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    return sorted(re.findall(r"\d+(?:\.\d+)?", html.unescape(text))), lines


def apart(value: Any) -> tuple[Any, list[str]]:
    """Take the sentences out of a JSON value: the value without them, and the sentences."""
    sentences: list[str] = []

    def bare(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: bare(one) for key, one in part.items()}
        if isinstance(part, list):
            return [bare(one) for one in part]
        if isinstance(part, str) and " " in part:
            sentences.append(part)
            return ""
        return part

    return bare(value), sentences


def verbs_of(prefix: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All commands and groups, the root first."""
    text = disentangle(*prefix, "--help")
    after = re.split(r"─ (?:Commands|Models|Train.*?|Look.*?|[A-Z][\w ,]*?) ─+╮", text)
    commands = [prefix]
    if "COMMAND" in text.partition("╭")[0]:
        for part in after[1:]:
            for name in re.findall(r"^│ ([a-z][\w-]*)  ", part.partition("╰")[0], re.MULTILINE):
                commands += verbs_of((*prefix, name))
    return commands


def disentangle(*words: object) -> str:
    """Run a command and return its output."""
    line = [sys.executable, "-m", "disentangle", *map(str, words)]
    env = {**os.environ, "COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    done = subprocess.run(line, capture_output=True, text=True, env=env)
    if done.returncode:
        raise SystemExit(f"{' '.join(line)} exited with {done.returncode}:\n{done.stderr}")
    return done.stdout


def without(entry: dict[str, Any], *names: str) -> dict[str, Any]:
    """A copy of an entry without these fields."""
    return {k: v for k, v in entry.items() if k not in names}


def compare(before: Path, after: Path, show: bool) -> int:
    """Print the differences between two records; return 1 if a number differs."""
    old, new = (
        json.loads(file.read_text(), parse_float=lambda text: float(f"{float(text):.12g}"))
        for file in (before, after)
    )
    wrong = 0
    for part in ("numbers", "words"):
        for key in sorted({*old[part], *new[part]}):
            texts = [lines_of(one[part].get(key)) for one in (old, new)]
            if texts[0] == texts[1]:
                continue
            differing = list(difflib.unified_diff(*texts, "before", "after", lineterm="", n=0))
            print(f"{part}: {key}: {len(differing) - 2} lines differ")
            if part == "numbers" or show:
                print("\n".join(differing[:400]))
            wrong += part == "numbers"
    print(f"{wrong} differences in numbers" if wrong else "all numbers are the same")
    return int(bool(wrong))


def lines_of(value: Any) -> list[str]:
    """Format a value as lines to compare."""
    text = value if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True)
    return text.splitlines()


if __name__ == "__main__":
    sys.exit(main())
