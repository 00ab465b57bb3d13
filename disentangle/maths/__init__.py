"""Formulas that several metrics and models share."""
