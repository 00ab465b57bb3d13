"""An audit, and its forms as text: marks, failures in words, Markdown, CSV, JSON and HTML."""

import csv
import io
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from string import ascii_letters
from typing import Any, TypeAlias

from disentangle._utils import html
from disentangle._utils.html import never_failing
from disentangle._utils.seeds import numpy_rng
from disentangle._utils.text import joined
from disentangle._utils.versions import made_by
from disentangle.auditing.cases import CASES
from disentangle.auditing.expectations import EXPECTATIONS, Expectation
from disentangle.auditing.reliability import Reliability
from disentangle.auditing.verdicts import Cell, Verdict
from disentangle.contracts.metric import Property
from disentangle.score_tables.render import Sheet, Text, markdown

MARKS: Mapping[Verdict, str] = {"holds": "+", "fails": "X", "not claimed": ".", "n/a": "/"}
"""The mark of a verdict in a matrix."""
LEGEND = ", ".join(f"{mark} {verdict}" for verdict, mark in MARKS.items())
LETTERS = ascii_letters
"""The names of a matrix's columns."""
GROUP = 5
"""Number of cases in a group of a matrix's columns."""
HIGH = 1000
"""A ratio of signal to noise from which on it is not told exactly."""
LEAST_ROWS = 50.0
"""The number of rows of which the score of noise is shown."""
RELIABILITY = ("signal to noise", f"noise, {LEAST_ROWS:g} rows", "seconds")
EXPLAINED = (
    "Signal to noise: the spread of a score over cases, divided by its spread over seeds of "
    "sampling; exact if all seeds give the same. Noise: the score of latents of noise on so few "
    "rows. Seconds: the median time of a computation."
)
Failures: TypeAlias = Mapping[str, Sequence[Cell]]


@dataclass(frozen=True, repr=False)
class Audit:
    """What scores make of codes with a known answer. A notebook shows it.

    Attributes:
        claims: score -> the properties that it claims to measure.
        cases: the cases, in order.
        cells: the verdict by score and case.
        reliability: how reliable each score is.
        seeds: the seeds of sampling.
        skipped: metric -> why it was not audited.
    """

    claims: Mapping[str, tuple[Property, ...]]
    cases: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    reliability: Mapping[str, Reliability]
    seeds: tuple[int, ...]
    skipped: Mapping[str, str]

    @property
    def failures(self) -> list[Cell]:
        """The cells in which an expectation does not hold."""
        return [cell for cell in self.cells.values() if cell.verdict == "fails"]

    def as_dict(self) -> dict[str, Any]:
        """The audit as `disentangle audit --json` prints it."""
        return as_dict(self)

    def __repr__(self) -> str:
        failures = ", ".join(f"{cell.score} in '{cell.case}'" for cell in self.failures)
        return f"<Audit of {', '.join(self.claims)}; fails: {failures or 'nothing'}>"

    @never_failing
    def _repr_html_(self) -> str:
        return as_html(self)


def failures_of(audit: Audit) -> Failures:
    """The failing cells of each score that has any."""
    scores = {cell.score: list[Cell]() for cell in audit.failures}
    for cell in audit.failures:
        scores[cell.score].append(cell)
    return scores


def expected_of(case: str, claims: Sequence[Property]) -> list[tuple[Property, Expectation]]:
    """What must hold in a case of a score with these claims."""
    return [
        (claim, expectation)
        for expectation in EXPECTATIONS
        if expectation.case == case
        for claim in claims
        if claim in expectation.properties
    ]


@cache
def factors_of(case: str) -> str:
    """What the factors of a case are, such as "a grid of 4 x 24 x 183"."""
    made, amounts = CASES[case].factors, CASES[case].amounts
    first, *_, last = (made(numpy_rng(0, "audit factors"), a) for a in (amounts[0], amounts[-1]))
    names = " to ".join(dict.fromkeys((first.name, last.name)))
    dependence = getattr(last, "dependence", "")
    if not dependence:
        return names
    when = "" if len(amounts) == 1 else "at the last amount "
    return f"{names}; {when}{dependence}"


def tally(audit: Audit, score: str) -> tuple[int, int]:
    """How many cells of a score fail, and how many have a verdict."""
    verdicts = [audit.cells[score, case].verdict for case in audit.cases]
    return verdicts.count("fails"), verdicts.count("fails") + verdicts.count("holds")


def claimed(claims: Sequence[Property]) -> str:
    """The claims of a score in words."""
    return joined(claims) or "nothing"


def matrix_rows(audit: Audit) -> list[tuple[str, list[str]]]:
    """The rows of the matrix, as groups of marks; the first row has the letters of the cases."""
    rows = [("", grouped(LETTERS[: len(audit.cases)]))]
    for score in audit.claims:
        marks = "".join(MARKS[audit.cells[score, case].verdict] for case in audit.cases)
        rows.append((score, grouped(marks)))
    return rows


def grouped(marks: str) -> list[str]:
    """The marks of a row in groups of a few."""
    return [marks[i : i + GROUP] for i in range(0, len(marks), GROUP)]


def reliability_texts(reliability: Reliability) -> list[str]:
    """The reliability of a score as texts; see `RELIABILITY`."""
    noise = noise_text(reliability, LEAST_ROWS)
    return [ratio_text(reliability.signal_to_noise), noise, f"{reliability.seconds:.2g}"]


def ratio_text(ratio: float | None) -> str:
    """A ratio of signal to noise, which is not known from one seed and may have no bound."""
    if ratio is None:
        return ""
    if math.isinf(ratio):
        return "exact"
    return f"{ratio:.3g}" if ratio < HIGH else f"over {HIGH:,}"


def noise_text(reliability: Reliability, rows: float) -> str:
    """The score of noise on so many rows; empty if it was not measured."""
    score = reliability.chance.get(rows)
    return "" if score is None else f"{score:.2f}"


def as_markdown(audit: Audit) -> str:
    """The audit in Markdown: a table of scores, the matrix of marks, and the failures in words."""
    parts = [
        "# Audit of metrics",
        f"{about(audit)}.",
        markdown(summary_sheet(audit)),
        "## All verdicts",
    ]
    width = max(len(score) for score in audit.claims)
    lines = [f"{score:{width}}  {' '.join(marks)}" for score, marks in matrix_rows(audit)]
    parts += ["```text\n" + "\n".join(lines) + "\n```", f"{LEGEND}.", markdown(cases_sheet(audit))]
    parts.append("## What does not hold" if audit.failures else "Every expectation holds.")
    for score, cells in failures_of(audit).items():
        parts.append(f"### `{score}` (claims {claimed(audit.claims[score])})")
        parts.append("\n".join(f"- **{cell.case}**: {cell.why}" for cell in cells))
    if audit.skipped:
        skipped = "\n".join(f"- `{metric}`: {why}" for metric, why in audit.skipped.items())
        parts += ["## Not audited", skipped]
    return "\n\n".join([*(part.strip() for part in parts), made_by()]) + "\n"


def about(audit: Audit) -> str:
    """What was audited, in words."""
    seeds = joined([str(seed) for seed in audit.seeds])
    plural = "s" if len(audit.seeds) > 1 else ""
    scores, cases = len(audit.claims), len(audit.cases)
    return (
        f"{scores} score{'s' if scores > 1 else ''} of codes with a known answer, in {cases} "
        f"case{'s' if cases > 1 else ''}, seed{plural} {seeds}"
    )


def summary_sheet(audit: Audit) -> Sheet:
    """A row per score: its claims, what fails, and its reliability."""
    failures = failures_of(audit)
    body = []
    for score, claims in audit.claims.items():
        fails, judged = tally(audit, score)
        cases = joined([cell.case for cell in failures.get(score, ())])
        numbers = [f"{judged - fails} of {judged}", *reliability_texts(audit.reliability[score])]
        body.append([Text(score), Text(claimed(claims)), Text(cases), *map(Text, numbers)])
    head = ["score", "claims", "fails", "holds", *RELIABILITY]
    return Sheet("Audit of metrics", head, body, EXPLAINED, numbers=4)


def cases_sheet(audit: Audit) -> Sheet:
    """A row per case: its letter in the matrix, what its codes are, and what is expected."""
    body = [
        [Text(letter), Text(name), Text(CASES[name].about), Text(CASES[name].expects)]
        for letter, name in zip(LETTERS, audit.cases, strict=False)
    ]
    return Sheet("Cases", ["", "case", "codes", "what a metric should make of them"], body, "")


def as_html(audit: Audit) -> str:
    """The audit for a notebook: a table of scores, and of what does not hold."""
    summary, failures = summary_sheet(audit), audit.failures
    rows = [[cell.text for cell in row] for row in summary.body]
    parts = [html.heading("Audit of metrics", about(audit))]
    parts += [html.table(rows, summary.head, summary.numbers), html.paragraph(summary.caption)]
    if failures:
        wrong = [[cell.score, cell.case, cell.why] for cell in failures]
        parts.append(html.table(wrong, ["score", "case", "what does not hold"]))
    return "".join(parts)


def as_csv(audit: Audit) -> str:
    """The audit as CSV: a row per score, case and amount."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["score", "case", "amount", "unit", "mean", "values", "verdict", "expected", "why"]
    )
    for cell in audit.cells.values():
        words = [cell.verdict, "; ".join(cell.expected), cell.why]
        case = CASES[cell.case]
        for amount, values in cell.values.items():
            named = f"{amount:g}" if case.unit else ""
            texts = " ".join(f"{value:.6g}" for value in values)
            row = [named, case.unit, f"{statistics.fmean(values):.6g}", texts]
            writer.writerow([cell.score, cell.case, *row, *words])
        if not cell.values:
            writer.writerow([cell.score, cell.case, "", case.unit, "", "", *words])
    return file.getvalue()


def as_dict(audit: Audit) -> dict[str, Any]:
    """The audit as JSON: its cases, scores and cells."""
    return {
        "made_by": made_by(),
        "seeds": list(audit.seeds),
        "cases": {
            name: {
                "factors": factors_of(name),
                "codes": CASES[name].about,
                "expects": CASES[name].expects,
                "amounts": list(CASES[name].amounts),
                "unit": CASES[name].unit,
            }
            for name in audit.cases
        },
        "scores": {score: score_as_dict(audit, score) for score in audit.claims},
        "cells": [cell_as_dict(audit, cell) for cell in audit.cells.values()],
        "skipped": dict(audit.skipped),
    }


def score_as_dict(audit: Audit, score: str) -> dict[str, Any]:
    """The claims, the counts of verdicts and the reliability of a score."""
    reliability, (fails, judged) = audit.reliability[score], tally(audit, score)
    return {
        "claims": list(audit.claims[score]),
        "fails": fails,
        "judged": judged,
        "within": reliability.within,
        "between": reliability.between,
        "chance": {f"{rows:g}": value for rows, value in reliability.chance.items()},
        "seconds": reliability.seconds,
    }


def cell_as_dict(audit: Audit, cell: Cell) -> dict[str, Any]:
    """A cell with its values, what was expected and why."""
    return {
        "score": cell.score,
        "case": cell.case,
        "verdict": cell.verdict,
        "why": cell.why,
        "expected": [
            {"property": claim, "must": str(expectation), "reason": expectation.reason}
            for claim, expectation in expected_of(cell.case, audit.claims[cell.score])
        ],
        "values": [
            {"amount": amount, "scores": list(values)} for amount, values in cell.values.items()
        ],
    }
