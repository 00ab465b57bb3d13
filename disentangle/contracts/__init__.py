"""Contracts of plugins: their base class and knobs, the registry, models, datasets, metrics."""
