"""Audits of made-up scores, judged as those of metrics are."""

from collections.abc import Mapping, Sequence

from disentangle.auditing.audit import judged
from disentangle.auditing.cases import CASES
from disentangle.auditing.measuring import Measurement, Task
from disentangle.auditing.tables import Audit

GOOD_ONE, BAD_ONE = "dci/completeness", "dci-lgbm/completeness"
GOOD = {"oracle": 1.0, "noise": 0.0, "scaled": 1.0, "copied": 0.4, "few rows, noise": 0.0}
"""The score of a metric of completeness that sees what it should."""


def audit_of(
    scores: Mapping[str, Mapping[str, float | Sequence[float] | None]],
    cases: Sequence[str] = tuple(GOOD),
    seeds: tuple[int, ...] = (0, 1),
) -> Audit:
    """Judge made-up scores: score -> case -> the value of each amount, or None if there is none."""
    measurements = [
        Measurement(
            Task(score.partition("/")[0], case, amount, seed),
            score,
            None if value is None else value + 0.001 * seed * case.endswith("noise"),
            "it has no value here" if value is None else "",
            0.25,
        )
        for score, by_case in scores.items()
        for case, given in by_case.items()
        for amount, value in zip(CASES[case].amounts, spread(given, case), strict=True)
        for seed in seeds
    ]
    return judged(measurements, [case for case in CASES if case in cases], seeds, {"elbo": "no"})


def spread(given: float | Sequence[float] | None, case: str) -> Sequence[float | None]:
    """The value of each amount of a case."""
    if given is None or isinstance(given, int | float):
        return [given] * len(CASES[case].amounts)
    return given


def two_scores() -> Audit:
    """The audit of a good score and of one that takes noise, and copies, for something."""
    bad = {**GOOD, "noise": 0.3, "copied": 0.98, "few rows, noise": [0.8, 0.5, 0.3, 0.3]}
    return audit_of({GOOD_ONE: GOOD, BAD_ONE: bad})
