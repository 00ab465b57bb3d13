"""Scores of runs, encoders and arrays: protocols, metrics as asked for, baselines."""
