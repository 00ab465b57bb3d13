"""Charts of a run's training, drawn from its log."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from disentangle.figures.latents import Latents
from disentangle.reports.svg_charts import Line, line_chart
from disentangle.runs.run import Run
from disentangle.runs.training_log import quantities, weighted_name, weighted_terms
from disentangle.score_tables.cells import number


def curves(run: Run, latents: Latents) -> list[tuple[str, str, Markup]]:
    """Draw the charts of a run's log; return the title, unit and SVG of each."""
    log = run.log
    if not log:
        return []
    steps = [entry["step"] for entry in log]
    active = {f"z{d}" for d, on in zip(latents.order, latents.active, strict=True) if on}
    charts = terms_of_the_loss(log)
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
        charts.append(("scores during training", "", scored))
    return [(title, unit, line_chart(title, unit, steps, lines)) for title, unit, lines in charts]


def terms_of_the_loss(log: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, list[Line]]]:
    """Charts of the loss, of the quantities in it, and of those that have a weight, weighted."""
    charts = {"loss": column(log, "loss")}
    values = [{"values": quantities(entry)} for entry in log]
    charts |= {name: column(values, "values", name) for name in keys(values, "values")}
    with_weight = weighted_terms(log)
    charts |= {weighted_name(name): column(log, "terms", name) for name in with_weight}
    return [
        (
            name,
            "without its weight" if name in with_weight else "nats per image",
            [alone(name, line)],
        )
        for name, line in charts.items()
        if any(value is not None for value in line)
    ]


def keys(log: Sequence[Mapping[str, Any]], part: str) -> list[str]:
    """Names in one part of the log entries, in order of first appearance."""
    return list(dict.fromkeys(name for entry in log for name in entry.get(part) or ()))


def column(log: Sequence[Mapping[str, Any]], *keys: str | int) -> list[float | None]:
    """One value per log entry, looked up by a path of keys; None if it is not a number."""
    values: list[float | None] = []
    for entry in log:
        value: Any = entry
        try:
            for key in keys:
                value = value[key]
            values.append(float(value))
        except (KeyError, IndexError, TypeError, ValueError):
            values.append(None)
    return values


def alone(name: str, values: Sequence[float | None]) -> Line:
    """The only line of a chart, labelled with its last value."""
    numbers = [value for value in values if value is not None]
    return Line(name, values, end=number(numbers[-1]).removesuffix(".000") if numbers else "")


def short(name: str) -> str:
    """Shorten a name to fit the label at the end of a line."""
    return name if len(name) <= 14 else name[:13] + "…"
