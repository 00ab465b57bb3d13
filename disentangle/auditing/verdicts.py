"""Verdicts: whether a score does what is expected of it in each case."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, TypeAlias

from disentangle.auditing.cases import CASES
from disentangle.auditing.expectations import EXPECTATIONS, RISE, Expectation
from disentangle.contracts.metric import Property

Verdict: TypeAlias = Literal["holds", "fails", "not claimed", "n/a"]
Values: TypeAlias = Mapping[float, Sequence[float]]
"""The values of a score in a case: amount -> one value per seed."""
OUTSIDE = 1e-9
"""Rounding by which a score may lie outside 0 to 1."""


class Unmeasured(Exception):
    """A score that an expectation compares with is missing; the message says which."""


@dataclass(frozen=True)
class Cell:
    """A score in a case.

    Attributes:
        score: the score.
        case: the case.
        verdict: whether all expectations hold.
        why: each expectation that fails, with what was measured, and why any cannot be judged.
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
        failures: case -> how the metric failed there.
        limitations: case -> why the metric fails it by its definition; see `Metric.limitations`.
    """

    def __init__(
        self,
        score: str,
        claims: Sequence[Property],
        values: Mapping[str, Values],
        reasons: Mapping[str, str],
        failures: Mapping[str, str] = MappingProxyType({}),
        limitations: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.score, self.claims, self.values = score, claims, values
        self.reasons, self.failures, self.limitations = reasons, failures, limitations

    def cell(self, case: str) -> Cell:
        """The verdict on a case."""
        relevant = [
            (claim, expectation)
            for expectation in EXPECTATIONS
            if expectation.case == case
            for claim in self.claims
            if claim in expectation.properties
        ]
        expected = tuple(dict.fromkeys(f"{claim}: {e}" for claim, e in relevant))
        values = self.values.get(case, {})
        verdict, why = self.verdict(case, list(dict.fromkeys(e for _, e in relevant)))
        return Cell(self.score, case, verdict, why, expected, values)

    def verdict(self, case: str, expectations: Sequence[Expectation]) -> tuple[Verdict, str]:
        """The verdict on a case, and why it is so."""
        values = self.values.get(case, {})
        if case in self.failures:
            return "fails", self.failures[case]
        if not values:
            # No score is as good an answer to no code.
            unscored: Verdict = "holds" if case == "constant" and expectations else "n/a"
            return unscored, self.reasons.get(case, "it was not measured")
        faults, gaps = [self.outside(values)], list[str]()
        for expectation in expectations:
            try:
                if fault := self.fault(expectation, values):
                    faults.append(self.property_of(expectation) + fault)
            except Unmeasured as missing:
                gaps.append(str(missing))
        why = "; ".join(dict.fromkeys(each for each in (*faults, *gaps) if each))
        if any(faults):
            known = self.limitations.get(case, "")
            return "fails", f"{why} (known: {known})" if known else why
        if gaps:
            return "n/a", why
        return "holds" if expectations else "not claimed", ""

    def property_of(self, expectation: Expectation) -> str:
        """Name the properties that an expectation is about, if the score claims others too."""
        about = [claim for claim in self.claims if claim in expectation.properties]
        return "" if len(about) == len(self.claims) else f"{' and '.join(about)}: "

    def fault(self, expectation: Expectation, values: Values) -> str:
        """What is wrong with the values; empty if the expectation holds.

        Raises:
            Unmeasured: a score to compare with is missing.
        """
        means = {amount: statistics.fmean(each) for amount, each in values.items()}
        last = list(means.values())[-1]
        bound, kind = expectation.bound, expectation.kind
        match kind:
            case "steady":
                return self.unsteady(means, bound, CASES[expectation.case].unit)
            case "falls" | "drops":
                unit = CASES[expectation.case].unit
                return self.not_falling(means, bound, unit, each_step=kind == "falls")
            case "same":
                other = self.mean_of(expectation.other)
                if abs(last - other) <= bound:
                    return ""
                return f"expected {other:.3f} as in '{expectation.other}', got {last:.3f}"
            case "level at least" | "level at most":
                return self.level_fault(expectation, last)
        if (last >= bound) if kind == "value at least" else (last <= bound):
            return ""
        return f"expected {kind.removeprefix('value ')} {bound:g}, got {last:.3f}"

    def unsteady(self, means: Mapping[float, float], bound: float, unit: str) -> str:
        """What is wrong with values that should not depend on the amount; empty if nothing is."""
        (start, first), *others = self.sweep(means)
        amount, worst = max(others, key=lambda step: abs(step[1] - first))
        if abs(worst - first) <= bound:
            return ""
        return (
            f"expected to stay within {bound:g}, goes from {first:.3f} at {start:,g} to "
            f"{worst:.3f} at {amount:,g} {unit}"
        )

    def level_fault(self, expectation: Expectation, value: float) -> str:
        """What is wrong with the level of a value; empty if nothing is."""
        if fault := self.scale_fault():
            return fault
        level = self.level(value)
        least = expectation.kind == "level at least"
        if (level >= expectation.bound) if least else (level <= expectation.bound):
            return ""
        bound = expectation.kind.removeprefix("level ")
        return (
            f"expected {bound} {expectation.bound:g} of the way from noise to the oracle, got "
            f"{level:.2f} ({value:.3f})"
        )

    def not_falling(
        self, means: Mapping[float, float], bound: float, unit: str, each_step: bool
    ) -> str:
        """What is wrong with values that should fall with the amount; empty if nothing is."""
        if fault := self.scale_fault():
            return fault
        steps = self.sweep(means)
        first = steps[0]
        pairs = pairwise(steps) if each_step else ((first, step) for step in steps[1:])
        for (before, high), (after, low) in pairs:
            if self.level(low) > self.level(high) + RISE:
                return (
                    f"expected to fall, rises from {high:.3f} at {before:,g} to {low:.3f} at "
                    f"{after:,g} {unit}"
                )
        fall = self.level(first[1]) - self.level(steps[-1][1])
        if fall >= bound:
            return ""
        return (
            f"expected to fall by {bound:g} of the way from the oracle to noise, falls by "
            f"{fall:.2f} ({first[1]:.3f} to {steps[-1][1]:.3f})"
        )

    def sweep(self, means: Mapping[float, float]) -> list[tuple[float, float]]:
        """The amounts with their values; raise `Unmeasured` if there are fewer than two."""
        if len(means) < 2:
            raise Unmeasured("it has a score at one amount only, so nothing can be compared")
        return list(means.items())

    def outside(self, values: Values) -> str:
        """Say which value is below 0 or above 1; empty if none is, or nothing is claimed."""
        flat = [value for each in values.values() for value in each]
        wrong = [value for value in flat if not -OUTSIDE <= value <= 1 + OUTSIDE]
        return f"expected 0 to 1, got {wrong[0]:.3f}" if wrong and self.claims else ""

    def scale_fault(self) -> str:
        """What is wrong with the scale from noise to the oracle; empty if nothing is.

        Raises:
            Unmeasured: noise or the oracle has no score.
        """
        noise, oracle = self.mean_of("noise"), self.mean_of("oracle")
        if oracle > noise + OUTSIDE:
            return ""
        return f"noise has {noise:.3f} and the oracle {oracle:.3f}, so nothing lies between them"

    def level(self, value: float) -> float:
        """A value on the scale from noise (0) to the oracle (1)."""
        noise, oracle = self.mean_of("noise"), self.mean_of("oracle")
        return (value - noise) / (oracle - noise)

    def mean_of(self, case: str) -> float:
        """The mean over seeds of a case at its last amount.

        Raises:
            Unmeasured: the case has no score.
        """
        values = self.values.get(case, {})
        if not values:
            raise Unmeasured(f"there is no score of '{case}' to compare with")
        return statistics.fmean(list(values.values())[-1])
