"""Train a run: configuration, the training loop, checkpoints and diagnostics."""
