"""Scores of runs, encoders and arrays: protocols, requested metrics, baselines."""
