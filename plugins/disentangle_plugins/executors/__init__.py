"""Built-in executors, one file each."""
