"""Figures of a run and of many runs."""
