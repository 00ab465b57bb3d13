"""Training a run: configuration, the loop, checkpoints, what is watched on the way."""
