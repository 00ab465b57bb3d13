"""The executor `slurm`, in four files: the executor, its queue, a job's task, Slurm's commands."""
