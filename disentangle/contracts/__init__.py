"""What a plugin is held to: its base class and knobs, the registry, models, datasets, metrics."""
