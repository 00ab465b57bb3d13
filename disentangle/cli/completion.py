"""What a shell offers for a word that is being typed: names of plugins, which are not imported."""

from collections.abc import Callable, Iterable

from disentangle.contracts import entry_points, registry

Offer = Callable[[str], list[str]]
"""Takes the word as far as it is typed, and returns words that it may become."""


def offer(names: Callable[[], Iterable[str]]) -> Offer:
    """Return what offers the names that begin as the word does.

    What comes after a colon, a metric's knobs, is left alone.
    """

    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


def _presets() -> Iterable[str]:
    from disentangle.training.preset import known_presets

    return known_presets()


def _protocols() -> Iterable[str]:
    from disentangle.scoring.protocol import known_protocols

    return known_protocols()


models = offer(lambda: registry.models.entries)
datasets = offer(lambda: registry.datasets.entries)
metrics = offer(lambda: [*registry.metrics.entries, "all"])
networks = offer(lambda: entry_points.networks.entries)
executors = offer(lambda: registry.executors.entries)
presets = offer(_presets)
protocols = offer(_protocols)
every = offer(
    lambda: sorted({*(e.name for e in entry_points.every_entry()), *_presets(), *_protocols()})
)
