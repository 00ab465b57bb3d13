"""The audit of metrics: codes with a known answer, and whether each metric gives it."""
