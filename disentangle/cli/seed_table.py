"""The table of the runs of one configuration: the numbers of each seed, and their mean."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from disentangle._utils.columns import aligned
from disentangle._utils.text import duration
from disentangle.runs.run import Run
from disentangle.runs.training_log import shown

HEADS = ["seed", "run"]
ACTIVE, TIME = "active", "time"


def seed_table(runs: Mapping[int, Run], width: int) -> list[str]:
    """The lines of the table: a row for each run, then the mean and the standard deviation.

    The numbers are those of the last entry of each log: the loss, its terms without their weights,
    and the number of active latents.

    Args:
        runs: finished runs by seed.
        width: the characters of a line; columns that do not fit go below the others.
    """
    numbers = {seed: numbers_of(run) for seed, run in runs.items()}
    names = list(dict.fromkeys(name for row in numbers.values() for name in row))
    rows = [[*HEADS, *names]]
    for seed, run in runs.items():
        cells = (cell(name, numbers[seed].get(name)) for name in names)
        rows.append([str(seed), run.record.id, *cells])
    if len(runs) > 1:
        rows += over_seeds(names, list(numbers.values()))
    return aligned(rows, width, numbers=len(names))


def numbers_of(run: Run) -> dict[str, float]:
    """The numbers of a run, by the headings of their columns."""
    entry = run.log[-1] if run.log else {}
    numbers = shown(entry)
    if ACTIVE in entry:
        numbers[ACTIVE] = entry[ACTIVE]
    if run.record.seconds is not None:
        numbers[TIME] = run.record.seconds
    return numbers


def over_seeds(names: Sequence[str], numbers: Sequence[Mapping[str, float]]) -> list[list[str]]:
    """The rows of means and of standard deviations (with n - 1) over the seeds."""
    means, deviations = ["mean", ""], ["± sd", ""]
    for name in names:
        values = [row[name] for row in numbers if name in row]
        means.append(cell(name, fmean(values), decimals=2))
        deviations.append(cell(name, stdev(values), decimals=2) if len(values) > 1 else "")
    return [means, deviations]


def cell(name: str, value: float | None, decimals: int = 0) -> str:
    """A number as text; `decimals` are those of a number of latents."""
    if value is None:
        return ""
    if name == TIME:
        return duration(value)
    return f"{value:.{decimals if name == ACTIVE else 2}f}"
