"""Shell completion of names of plugins, protocols and presets, without importing any plugin."""

from collections.abc import Callable, Iterable

from disentangle.contracts import entry_points, registry

Offer = Callable[[str], list[str]]
"""A function from an incomplete word to its possible completions."""


def offer(names: Callable[[], Iterable[str]]) -> Offer:
    """Complete a word, in any case, to the names that start with it.

    Hyper-parameters after a colon are not completed.
    """

    def complete(incomplete: str) -> list[str]:
        start = incomplete.casefold()
        return [name for name in names() if name.casefold().startswith(start)]

    return complete


def _presets() -> Iterable[str]:
    from disentangle.training.preset import known_presets

    return known_presets()


def _protocols() -> Iterable[str]:
    from disentangle.scoring.protocol import known_protocols

    return known_protocols()


def _cases() -> Iterable[str]:
    from disentangle.auditing.cases import CASES

    return CASES


models = offer(lambda: registry.models.entries)
datasets = offer(
    lambda: [*registry.datasets.entries, *(f"{name}:" for name in registry.collections.entries)]
)
metrics = offer(lambda: [*registry.metrics.entries, "all"])
cases = offer(_cases)
networks = offer(lambda: entry_points.networks.entries)
executors = offer(lambda: registry.executors.entries)
trackers = offer(lambda: registry.trackers.entries)
presets = offer(_presets)
protocols = offer(_protocols)
everything = offer(
    lambda: sorted({*(e.name for e in entry_points.every_entry()), *_presets(), *_protocols()})
)
