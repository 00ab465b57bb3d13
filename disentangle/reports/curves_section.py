"""The charts of a run's training, from its log."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from disentangle.figures.latents import Latents
from disentangle.reports.svg_charts import Line, line_chart
from disentangle.runs.run import Run
from disentangle.score_tables.cells import number


def curves(run: Run, latents: Latents) -> list[tuple[str, str, Markup]]:
    """Return the charts of a run's log: title, unit, SVG."""
    log = run.log
    if not log:
        return []
    steps = [entry["step"] for entry in log]
    active = {f"z{d}" for d, on in zip(latents.order, latents.active, strict=True) if on}
    charts = []
    for name in keys(log, "terms"):
        charts.append((name, "nats per image", [alone(name, column(log, "terms", name))]))
    latent = [
        Line(name, column(log, "kl", d), name in active)
        for d in range(max(len(entry.get("kl") or ()) for entry in log))
        for name in [f"z{d}"]
    ]
    if latent:
        charts.append(("KL of each latent", "nats", latent))
    charts.append(("active latents", "", [alone("active", column(log, "active"))]))
    scored = [Line(short(name), column(log, "scores", name)) for name in keys(log, "scores")]
    if scored:
        charts.append(("scores while training", "", scored))
    return [(title, unit, line_chart(title, unit, steps, lines)) for title, unit, lines in charts]


def keys(log: Sequence[Mapping[str, Any]], part: str) -> list[str]:
    """Return the names in a part of a log's entries, in order."""
    return list(dict.fromkeys(name for entry in log for name in entry.get(part) or ()))


def column(log: Sequence[Mapping[str, Any]], *keys: str | int) -> list[float | None]:
    """Return one value of each entry, found by a key or two; None where there is no number."""
    found: list[float | None] = []
    for entry in log:
        value: Any = entry
        try:
            for key in keys:
                value = value[key]
            found.append(float(value))
        except (KeyError, IndexError, TypeError, ValueError):
            found.append(None)
    return found


def alone(name: str, values: Sequence[float | None]) -> Line:
    """Return the line of a chart that has no other: at its end stands its last value."""
    known = [value for value in values if value is not None]
    return Line(name, values, end=number(known[-1]).removesuffix(".000") if known else "")


def short(name: str) -> str:
    """Return a name that stands at the end of a line."""
    return name if len(name) <= 14 else name[:13] + "…"
