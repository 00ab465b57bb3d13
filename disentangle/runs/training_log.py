"""The numbers of a training log under the names by which they are shown.

An entry holds the terms of the loss in `terms`, each times its weight; the quantities without
weights in `values`; and the sum of the model's own terms in `loss`. Logs of version 0.1 hold only
`terms`, so the KL of such a run is shown as "kl, weighted", and its loss is not shown.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Entry = Mapping[str, Any]
UNWEIGHTED = "reconstruction"
"""The term that has no weight in a log without `values`."""


def quantities(entry: Entry) -> dict[str, float]:
    """The quantities in the loss without their weights, as far as they are known: KL, ..."""
    terms = entry.get("terms") or {}
    values = entry.get("values", {name: terms[name] for name in terms if name == UNWEIGHTED})
    return dict(values or {})


def weighted_name(name: str) -> str:
    """The name of a term of the loss where its quantity has a name of its own."""
    return f"{name}, weighted"


def weighted_terms(log: Iterable[Entry]) -> list[str]:
    """The terms of a log that somewhere differ from the quantity of the same name."""
    names: dict[str, None] = {}
    for entry in log:
        known = quantities(entry)
        for name, term in (entry.get("terms") or {}).items():
            if known.get(name) != term:
                names[name] = None
    return list(names)


def shown(entry: Entry) -> dict[str, float]:
    """The loss of an entry and its quantities; a term whose quantity is not known is weighted."""
    known = quantities(entry)
    terms = {
        weighted_name(name): term
        for name, term in (entry.get("terms") or {}).items()
        if name not in known
    }
    loss = {"loss": entry["loss"]} if "loss" in entry else {}
    return {**loss, **known, **terms}
