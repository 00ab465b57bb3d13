"""Figures of one run and of many runs."""
