"""What the page of a run shows: its record, its latents in pictures, its training, its scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from disentangle._utils.seeds import numpy_rng
from disentangle._utils.text import duration
from disentangle.figures.bases import default_bases, find_bases
from disentangle.figures.image_grids import as_float
from disentangle.figures.latents import Latents, measure_latents
from disentangle.figures.traversals import traverse
from disentangle.reports.curves_section import curves
from disentangle.reports.scores_section import baselines_near, matrices, score_blocks
from disentangle.reports.sprites import data_uri
from disentangle.runs.records import RunRecord, SettingRecord, describe_view
from disentangle.runs.run import Run
from disentangle.runs.scores import current_scores

VALUES = 21
PAIRS = 16
SIDE = 128
"""The side of a picture on the page, in pixels, where that is a multiple of its own."""


def about_run(run: Run, bases: Sequence[str] | None = None) -> dict[str, Any]:
    """Return all that the template of a run's page names.

    Args:
        run: a run with weights.
        bases: where the traversals start; see `figures.find_bases`.
    """
    record, latents = run.record, measure_latents(run)
    scores = current_scores(run, detail=True)
    return {
        "record": record,
        "state": state(run),
        "said": record.summary,
        "view": describe_view(record.dataset.view),
        "facts": run_facts(run, latents),
        "origins": origins(record),
        "changed": settings(record, changed=True),
        "unchanged": settings(record, changed=False),
        "traversals": traversals(run, latents, bases),
        "reconstructions": reconstructions(run),
        "curves": curves(run, latents),
        "scores": score_blocks(scores, baselines_near(run.path)),
        "matrices": matrices(scores, latents),
    }


def state(run: Run) -> str:
    """Return what a reader must know of a run that did not come to its end; else nothing."""
    if run.finished:
        return ""
    step = run.load_checkpoint().step
    why = f" {run.record.failed}" if run.record.failed else ""
    return f"UNFINISHED: weights after {step} of {run.record.recipe['steps']:,} steps.{why}"


def run_facts(run: Run, latents: Latents) -> dict[str, str]:
    """Return what a reader asks first, by name."""
    record = run.record
    seconds = record.seconds if record.seconds is not None else last(run).get("seconds")
    found = {
        "steps": f"{record.recipe['steps']:,}",
        "seed": str(record.seed),
        "active latents": f"{sum(latents.active)} of {len(latents.active)}",
        "labels used": record.supervision or "",
        "wall time": "" if seconds is None else duration(float(seconds)),
        "device": f"{record.device}, {record.threads} threads".replace(" 1 threads", " 1 thread"),
    }
    return {name: said for name, said in found.items() if said}


def last(run: Run) -> Mapping[str, Any]:
    """Return the last entry of a run's log; an empty one if it has none."""
    log = run.log
    return log[-1] if log else {}


def origins(record: RunRecord) -> dict[str, str]:
    """Return where a run came from: data, code and versions, by name."""
    data = record.dataset
    versions = ", ".join(f"{name} {version}" for name, version in record.packages.items())
    found = {
        "run": record.id,
        "settings": record.origin,
        "imported from": record.imported or "",
        "plugin": f"{record.distribution}, version {record.model_version} of the model, "
        f"{record.network_version} of the network",
        "images": f"{data.images:,} of {' x '.join(map(str, data.image_shape))}, {data.source}",
        "factors": ", ".join(f"{name} ({count})" for name, count in data.factors.items()),
        "trained on": describe_view(data.view),
        "dataset fingerprint": data.fingerprint,
        "weights": record.weights or "",
        "versions": versions,
        "commit": record.commit or "",
        "started": record.started,
        "finished": record.finished or "",
    }
    return {name: said for name, said in found.items() if said}


def settings(record: RunRecord, changed: bool) -> list[dict[str, str]]:
    """Return knobs and trainer's options that differ from their defaults, or those that do not."""
    every: dict[str, SettingRecord] = {**record.settings, **record.training}
    found = [
        {
            "name": name,
            "value": str(setting.value),
            "default": str(setting.default),
            "origin": f"preset {record.preset}" if setting.origin == "preset" else setting.origin,
        }
        for name, setting in every.items()
        if (setting.value != setting.default) == changed
    ]
    derived = {} if changed else record.normalised
    return found + [
        {"name": name, "value": f"{value:.6g}", "default": "", "origin": "derived"}
        for name, value in derived.items()
    ]


def traversals(run: Run, latents: Latents, specs: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the pictures of each latent's traversal from each base, and what moves them.

    `own` are the places, among the values of each latent, that are nearest to the base's own.
    """
    found = find_bases(run, specs or default_bases(run))
    values = [run.model.traversal(d, VALUES) for d in latents.order]
    bases = []
    for base in found:
        shown = [run.decode(base.z[None])[0]]
        if base.image is not None:
            shown.insert(0, as_float(base.image))
        bases.append(
            {
                "label": base.label,
                "image": data_uri(torch.stack(shown)[None]),
                "width": len(shown),
                "sheet": data_uri(traverse(run, base, latents.order, VALUES)),
                "own": [nearest(v, base.z[d]) for v, d in zip(values, latents.order, strict=True)],
            }
        )
    rows = [
        {"name": f"z{d}", "weight": weight, "active": active, "values": rounded(v)}
        for d, weight, active, v in zip(
            latents.order, latents.weights, latents.active, values, strict=True
        )
    ]
    _, height, width = run.record.dataset.image_shape
    by = "KL" if latents.weights[0].startswith("KL") else "the variance of their means"
    about = {"rows": rows, "bases": bases, "count": len(values[0]), "sorted": by}
    return {**about, "shape": (width, height), "zoom": zoom(width)}


def zoom(width: int) -> int:
    """Return how many times a page enlarges pictures of so many pixels: a whole number."""
    return max(1, SIDE // width)


def nearest(values: Tensor, own: Tensor) -> int:
    """Return the place of the value that is nearest to a base's own."""
    return int((values - own).abs().argmin())


def rounded(values: Tensor) -> list[str]:
    """Return values as a person reads them; minus zero is zero."""
    return [f"{round(float(v), 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}") for v in values]


def reconstructions(run: Run) -> dict[str, Any]:
    """Return images over their reconstructions, as one sheet of two rows."""
    order = numpy_rng(run.record.seed, "shown").permutation(len(run.dataset))
    images = run.dataset.images(order[:PAIRS])
    both = torch.stack([as_float(images), run.decode(run.encode(images))])
    return {"sheet": data_uri(both), "count": len(images)}
