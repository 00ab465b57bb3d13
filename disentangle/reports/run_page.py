"""Contents of a run's page: record, traversals, reconstructions, training curves and scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from disentangle._utils.seeds import numpy_rng
from disentangle._utils.text import count, duration
from disentangle.contracts.dataset import Index
from disentangle.figures.bases import default_bases, find_bases
from disentangle.figures.image_grids import as_float
from disentangle.figures.latents import Latents, measure_latents
from disentangle.figures.traversals import traverse
from disentangle.reports.curves_section import curves
from disentangle.reports.factor_section import factor_view
from disentangle.reports.live_section import live_panel
from disentangle.reports.network_data import LIMIT, live_networks
from disentangle.reports.scores_section import baselines_near, matrices, score_blocks
from disentangle.reports.sprites import data_uri
from disentangle.runs.records import RunRecord, SettingRecord, describe_view, parts_of
from disentangle.runs.run import Run
from disentangle.runs.scores import current_scores
from disentangle.runs.train_command import train_command

VALUES = 21
PAIRS = 16
SIDE = 128
"""The largest width of a picture on the page, in pixels; pictures are enlarged by whole factors."""


def about_run(
    run: Run, bases: Sequence[str] | None = None, network_limit: float = LIMIT
) -> dict[str, Any]:
    """The template values of a run's page.

    Args:
        run: a run with a checkpoint.
        bases: the base images of the traversals; see `figures.bases.find_bases`.
        network_limit: the largest size of the networks in the page, in MB.
    """
    record, latents = run.record, measure_latents(run)
    bases, shown = bases or default_bases(run), shown_images(run)
    scores = current_scores(run, detail=True)
    return {
        "record": record,
        "state": state(run),
        "summary": record.summary,
        "view": describe_view(record.dataset.view),
        "facts": run_facts(run, latents),
        "origins": origins(record),
        "command": train_command(record),
        "changed": settings(record, changed=True),
        "unchanged": settings(record, changed=False),
        "live": live_panel(run, latents, bases, shown),
        "traversals": traversals(run, latents, bases),
        "networks": live_networks(run, network_limit),
        "reconstructions": reconstructions(run, shown),
        "factors": factor_view(run, latents),
        "curves": curves(run, latents),
        "scores": score_blocks(scores, baselines_near(run.path)),
        "matrices": matrices(scores, latents),
    }


def state(run: Run) -> str:
    """A warning about an unfinished run; empty for a finished one."""
    if run.finished:
        return ""
    step = run.load_checkpoint().step
    why = f" {run.record.failed}" if run.record.failed else ""
    return f"UNFINISHED: checkpoint of step {step} of {run.record.recipe['steps']:,}.{why}"


def run_facts(run: Run, latents: Latents) -> dict[str, str]:
    """The key facts at the top of the page, by name."""
    record = run.record
    seconds = record.seconds if record.seconds is not None else last(run).get("seconds")
    facts = {
        "steps": f"{record.recipe['steps']:,}",
        "seed": str(record.seed),
        "active latents": f"{sum(latents.active)} of {len(latents.active)}",
        "labels used": record.supervision or "",
        "wall time": "" if seconds is None else duration(float(seconds)),
        "device": f"{record.device}, {count(record.threads, 'thread')}",
    }
    return {name: text for name, text in facts.items() if text}


def last(run: Run) -> Mapping[str, Any]:
    """The last entry of a run's log; empty if there is none."""
    log = run.log
    return log[-1] if log else {}


def origins(record: RunRecord) -> dict[str, str]:
    """The run's provenance by name: data, code and versions."""
    data = record.dataset
    versions = ", ".join(f"{name} {version}" for name, version in record.packages.items())
    facts = {
        "run": record.id,
        "settings": record.origin,
        "imported from": record.imported or "",
        "not in that file": parts_of(record.absent),
        "plugin": f"{record.distribution}, model version {record.model_version}, "
        f"network version {record.network_version}",
        "images": f"{data.images:,}, each {' x '.join(map(str, data.image_shape))}, {data.source}",
        "factors": ", ".join(f"{name} ({count})" for name, count in data.factors.items()),
        "trained on": describe_view(data.view),
        "dataset fingerprint": data.fingerprint,
        "digest of the weights": record.weights or "",
        "versions": versions,
        "commit": record.commit or "",
        "started": record.started,
        "finished": record.finished or "",
    }
    return {name: text for name, text in facts.items() if text}


def settings(record: RunRecord, changed: bool) -> list[dict[str, str]]:
    """Rows of the settings that differ from their defaults, or of those that do not."""
    all_settings: dict[str, SettingRecord] = {**record.settings, **record.training}
    rows = [
        {
            "name": name,
            "value": str(setting.value),
            "default": str(setting.default),
            "origin": f"preset {record.preset}" if setting.origin == "preset" else setting.origin,
        }
        for name, setting in all_settings.items()
        if (setting.value != setting.default) == changed
    ]
    derived = {} if changed else record.normalised
    return rows + [
        {"name": name, "value": f"{value:.6g}", "default": "", "origin": "derived"}
        for name, value in derived.items()
    ]


def traversals(run: Run, latents: Latents, specs: Sequence[str]) -> dict[str, Any]:
    """The traversal of each latent from each base image, and the values on its slider.

    `own` holds, for each latent, the index of the traversed value nearest to the base's value.
    """
    values = [run.model.traversal(d, VALUES) for d in latents.order]
    bases = []
    for base in find_bases(run, specs):
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
    parts = {"rows": rows, "bases": bases, "count": len(values[0]), "sorted": by}
    return {**parts, "shape": (width, height), "zoom": zoom(width)}


def zoom(width: int) -> int:
    """The whole factor by which the page enlarges pictures of this width in pixels."""
    return max(1, SIDE // width)


def nearest(values: Tensor, own: Tensor) -> int:
    """Index of the value nearest to the base image's value."""
    return int((values - own).abs().argmin())


def rounded(values: Tensor) -> list[str]:
    """Format values with two decimals and a typographic minus sign; minus zero becomes zero."""
    return [f"{round(float(v), 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}") for v in values]


def shown_images(run: Run) -> Index:
    """Indices of the images that the page shows."""
    return numpy_rng(run.record.seed, "shown").permutation(len(run.dataset))[:PAIRS]


def reconstructions(run: Run, shown: Index) -> dict[str, Any]:
    """One sprite sheet of two rows: images above their reconstructions."""
    images = run.dataset.images(shown)
    both = torch.stack([as_float(images), run.decode(run.encode(images))])
    return {"sheet": data_uri(both), "count": len(images)}
