"""Runs whose table has as many columns of scores as a test asks for."""

NAMES = ("dci/completeness", "dci/disentanglement", "elbo/kl", "elbo/total", "mig", "sap")
"""Scores of four metrics; those of `elbo` need no labels."""


def scores_in(columns):
    """The changes that make records of scores for a number of columns: names, then metric seeds."""
    return [
        {
            "name": NAMES[i % len(NAMES)],
            "metric": NAMES[i % len(NAMES)].partition("/")[0],
            "seed": i // len(NAMES),
            "value": 0.001 * (i + 1),
        }
        for i in range(columns)
    ]


def numbers_in(columns):
    """The numbers of the table in those columns, as they are printed."""
    return [f"{0.001 * (i + 1):.3f}" for i in range(columns)]
