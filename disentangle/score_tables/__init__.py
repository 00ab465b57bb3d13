"""Score tables over seeds: statistics, ranking, selection, export."""
