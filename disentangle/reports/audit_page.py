"""The page of an audit: the matrix of verdicts, in which a cell opens its case."""

from typing import Any

from disentangle.auditing.cases import CASES
from disentangle.auditing.expectations import EXPECTATIONS
from disentangle.auditing.reliability import FEW_ROWS
from disentangle.auditing.tables import (
    EXPLAINED,
    MARKS,
    Audit,
    about,
    claimed,
    factors_of,
    failures_of,
    noise_text,
    ratio_text,
    tally,
)
from disentangle.reports.html import render

COUNTS = CASES[FEW_ROWS].amounts
"""The numbers of rows of which the score of noise is shown."""


def audit_page(audit: Audit) -> str:
    """Render the page of an audit: self-contained HTML."""
    rows = [row_of(audit, score) for score in audit.claims]
    judged = sum(tally(audit, score)[1] for score in audit.claims)
    facts = {
        "scores": len(audit.claims),
        "cases": len(audit.cases),
        "verdicts that hold": f"{judged - len(audit.failures):,} of {judged:,}",
    }
    values = {
        "about": f"{about(audit)}.",
        "facts": facts,
        "cases": [case_of(name) for name in audit.cases],
        "rows": rows,
        "counts": [f"{count:,g}" for count in COUNTS],
        "explained": EXPLAINED,
        "marks": MARKS,
        "failures": [
            {
                "score": score,
                "claims": claimed(audit.claims[score]),
                "cells": [{"about": CASES[cell.case].about, "cell": cell} for cell in cells],
            }
            for score, cells in failures_of(audit).items()
        ],
        "skipped": audit.skipped,
        "data": data_of(audit),
    }
    return render("audit", values, "audit.js")


def row_of(audit: Audit, score: str) -> dict[str, Any]:
    """The template values of a row of the matrix."""
    reliability, (fails, judged) = audit.reliability[score], tally(audit, score)
    return {
        "score": score,
        "claims": claimed(audit.claims[score]),
        "verdicts": {case: audit.cells[score, case].verdict for case in audit.cases},
        "holds": f"{judged - fails} of {judged}",
        "ratio": ratio_text(reliability.signal_to_noise),
        "noise": [noise_text(reliability, count) for count in COUNTS],
        "seconds": f"{reliability.seconds:.2g}",
    }


def case_of(name: str) -> dict[str, Any]:
    """The template values of a case, with what must hold of each property."""
    case = CASES[name]
    expected = [
        {"property": each, "must": str(expectation), "reason": expectation.reason}
        for expectation in EXPECTATIONS
        if expectation.case == name
        for each in expectation.properties
    ]
    return {
        "name": name,
        "factors": factors_of(name),
        "codes": case.about,
        "expects": case.expects,
        "unit": case.unit,
        "expected": expected,
    }


def data_of(audit: Audit) -> dict[str, Any]:
    """What the script shows of a cell: the values by amount and seed, the verdict, the reason."""
    return {
        "seeds": list(audit.seeds),
        "cases": {name: case_of(name) for name in audit.cases},
        "claims": {score: list(claims) for score, claims in audit.claims.items()},
        "cells": {
            score: {
                case: {
                    "verdict": cell.verdict,
                    "why": cell.why,
                    "values": [[amount, list(each)] for amount, each in cell.values.items()],
                }
                for case in audit.cases
                for cell in [audit.cells[score, case]]
            }
            for score in audit.claims
        },
    }
