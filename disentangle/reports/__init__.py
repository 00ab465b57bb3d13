"""Self-contained HTML pages of a run or of a folder of runs."""
