"""Verdicts: whether a score does what is expected of it in each case."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from disentangle.audit.cases import CASES
from disentangle.audit.expectations import EXPECTATIONS, RISE, Expectation
from disentangle.contracts.metric import Property

Verdict: TypeAlias = Literal["holds", "fails", "not claimed", "n/a"]
Values: TypeAlias = Mapping[float, Sequence[float]]
"""The values of a score in a case: amount -> one value per seed."""
OUTSIDE = 1e-9
"""Rounding by which a score may lie outside 0 to 1."""


@dataclass(frozen=True)
class Cell:
    """A score in a case.

    Attributes:
        score: the score.
        case: the case.
        verdict: whether all expectations hold.
        why: each expectation that fails, with what was measured; or why there is no verdict.
        expected: the expectations, in words.
        values: the values, by amount and seed.
    """

    score: str
    case: str
    verdict: Verdict
    why: str
    expected: tuple[str, ...]
    values: Values


class Judge:
    """Judges a score's values.

    Args:
        score: the score.
        claims: the properties that it claims to measure.
        values: case -> its values.
        reasons: case -> why it has no value, or not for every amount.
    """

    def __init__(
        self,
        score: str,
        claims: Sequence[Property],
        values: Mapping[str, Values],
        reasons: Mapping[str, str],
    ) -> None:
        self.score, self.claims, self.values, self.reasons = score, claims, values, reasons
        self.ends = tuple(self.mean_of(name) for name in ("noise", "oracle"))

    def cell(self, case: str) -> Cell:
        """The verdict on a case."""
        values = self.values.get(case, {})
        relevant = [
            (claim, expectation)
            for expectation in EXPECTATIONS
            if expectation.case == case
            for claim in self.claims
            if claim in expectation.properties
        ]
        expected = tuple(dict.fromkeys(f"{claim}: {e}" for claim, e in relevant))
        expectations = list(dict.fromkeys(expectation for _, expectation in relevant))
        if not values:
            if case == "constant" and relevant:  # no score is as good an answer
                return Cell(self.score, case, "holds", self.reasons.get(case, ""), expected, values)
            return Cell(self.score, case, "n/a", self.reasons.get(case, ""), expected, values)
        faults = [self.fault(expectation, values) for expectation in expectations]
        faults.append(self.outside(values))
        why = "; ".join(dict.fromkeys(fault for fault in faults if fault))
        verdict: Verdict = "fails" if why else "holds" if relevant else "not claimed"
        return Cell(self.score, case, verdict, why, expected, values)

    def fault(self, expectation: Expectation, values: Values) -> str:
        """What is wrong with the values; empty if the expectation holds."""
        means = {amount: statistics.fmean(each) for amount, each in values.items()}
        first, *_, last = (*means.values(), list(means.values())[-1])
        bound, kind = expectation.bound, expectation.kind
        unit = CASES[expectation.case].unit
        if kind == "steady":
            amount, worst = max(means.items(), key=lambda item: abs(item[1] - first))
            if abs(worst - first) <= bound:
                return ""
            return f"expected within {bound:g} of {first:.3f}, got {worst:.3f} at {amount:g} {unit}"
        if kind == "same":
            other = self.mean_of(expectation.other)
            if other is None or abs(last - other) <= bound:
                return ""
            return f"expected {other:.3f} as in '{expectation.other}', got {last:.3f}"
        if kind == "falls":
            return self.not_falling(means, bound, unit)
        if kind.startswith("level"):
            return self.level_fault(expectation, last)
        if (last >= bound) if kind.endswith("least") else (last <= bound):
            return ""
        return f"expected {kind.removeprefix('value ')} {bound:g}, got {last:.3f}"

    def level_fault(self, expectation: Expectation, value: float) -> str:
        """What is wrong with the level of a value; empty if nothing is."""
        level = self.level(value)
        if level is None:
            return "noise and the oracle have the same score, so that nothing else can be told"
        least = expectation.kind.endswith("least")
        if (level >= expectation.bound) if least else (level <= expectation.bound):
            return ""
        bound = expectation.kind.removeprefix("level ")
        return (
            f"expected {bound} {expectation.bound:g} of the way from noise to the oracle, got "
            f"{level:.2f} ({value:.3f})"
        )

    def not_falling(self, means: Mapping[float, float], bound: float, unit: str) -> str:
        """What is wrong with values that should fall with the amount; empty if nothing is."""
        levels = {amount: self.level(mean) for amount, mean in means.items()}
        if None in levels.values():
            return "noise and the oracle have the same score, so that nothing else can be told"
        steps = [(amount, level) for amount, level in levels.items() if level is not None]
        for (before, high), (after, low) in pairwise(steps):
            if low > high + RISE:
                return f"expected to fall, rises from {before:g} to {after:g} {unit}"
        fall = steps[0][1] - steps[-1][1]
        if fall >= bound:
            return ""
        return f"expected to fall by {bound:g} of the way to noise, falls by {fall:.2f}"

    def outside(self, values: Values) -> str:
        """Say which value is below 0 or above 1; empty if none is, or nothing is claimed."""
        flat = [value for each in values.values() for value in each]
        wrong = [value for value in flat if not -OUTSIDE <= value <= 1 + OUTSIDE]
        return f"expected 0 to 1, got {wrong[0]:.3f}" if wrong and self.claims else ""

    def level(self, value: float) -> float | None:
        """A value on the scale from noise (0) to the oracle (1); None without such a scale."""
        noise, oracle = self.ends
        if noise is None or oracle is None or abs(oracle - noise) < OUTSIDE:
            return None
        return (value - noise) / (oracle - noise)

    def mean_of(self, case: str) -> float | None:
        """The mean over seeds of a case at its last amount; None if it was not measured."""
        values = self.values.get(case, {})
        return statistics.fmean(list(values.values())[-1]) if values else None
