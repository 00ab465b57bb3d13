"""Runs on disk: records, checkpoints, scores, and folders of runs."""
