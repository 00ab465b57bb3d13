"""The runs of a configuration: those that differ only in the seed."""

from disentangle.runs.collection import load_all
from disentangle.runs.run import Run


def siblings(run: Run) -> dict[int, Run]:
    """This run and the finished runs in the same folder that differ only in the seed, by seed."""
    parent = run.path.resolve().parent
    if run.path.parent.resolve() == parent:
        parent = run.path.parent  # relative, as it was given
    runs, _ = load_all(parent)
    by_seed = {run.record.seed: run}
    for other in runs:
        same = (other.record.group, other.record.data) == (run.record.group, run.record.data)
        if same and other.finished:
            by_seed.setdefault(other.record.seed, other)
    return dict(sorted(by_seed.items()))
