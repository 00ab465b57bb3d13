"""Studies: files of many runs, planned, executed here or on a cluster, and summarised."""
