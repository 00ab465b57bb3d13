"""Write the tables of `docs/audit.md` from the cases, the expectations and `results/audit/`.

Run `python -m tools.audit` after a change of one of these, and after

    disentangle audit -o results/audit

which audits all metrics; a test compares the page with them. `results/audit-continuous/` has three
seeds of the cases of continuous factors.
"""

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from disentangle.auditing.cases import CASES
from disentangle.auditing.expectations import EXPECTATIONS
from disentangle.auditing.tables import factors_of, ratio_text

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "audit.md"
RESULT = ROOT / "results" / "audit"
CONTINUOUS = ROOT / "results" / "audit-continuous" / "audit.json"
COPY = ROOT / "docs" / "audit-page.html"

GUARD = (
    ("factors in other units and order", "scaled", "mig", "0.741"),
    ("", "scaled", "mcc", "1.000"),
    ("", "scaled", "dci-lgbm/disentanglement", "0.993"),
    ("", "scaled", "infomec/infom", "0.977"),
    ("all factors under one dense mixture", "mixed", "mig", "0.050"),
    ("", "mixed", "mcc", "0.687"),
    ("", "mixed", "dci-lgbm/disentanglement", "0.276"),
    ("", "mixed", "infomec/infom", "0.518"),
    ("noise, 50 rows", "few rows, noise 50", "mcc", "0.431"),
    ("noise, 200 rows", "few rows, noise 200", "mcc", "0.235"),
    ("noise, 1,000 rows", "few rows, noise 1000", "mcc", "0.110"),
    ("", "few rows, noise 1000", "infomec/infom", "0.56 to 0.70"),
    ("noise, 10,000 rows", "few rows, noise 10000", "mcc", "0.034"),
)
"""Codes, our case with its amount, our score, and what Joshi et al. (2026) publish of theirs."""


@cache
def published() -> dict[str, Any]:
    """The published audit of the built-in metrics."""
    result: dict[str, Any] = json.loads((RESULT / "audit.json").read_text())
    return result


def page(text: str) -> str:
    """The page with its tables as they should be."""
    tables = {"cases": cases(), "expectations": expectations(), "scores": scores()}
    tables["comparison"] = comparison()
    tables["dependent"] = dependent()
    for name, rows in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
        table = begin + "\n".join(rows) + "\n" + end
        text = re.sub(pattern, lambda _, table=table: table, text, flags=re.DOTALL)  # type: ignore[misc]
    return text


def table(head: Sequence[str], body: Iterable[Sequence[str]], numbers: int = 0) -> list[str]:
    """A table in Markdown, of which the last columns are numbers."""
    rule = ["---"] * (len(head) - numbers) + ["---:"] * numbers
    return [f"| {' | '.join(row)} |" for row in (head, rule, *body)]


def cases() -> list[str]:
    """The table of cases."""
    rows = [(name, case.about, factors_of(name), case.expects) for name, case in CASES.items()]
    return table(("case", "codes", "factors", "what a metric should make of them"), rows)


def expectations() -> list[str]:
    """The table of expectations."""
    rows = [(e.case, ", ".join(e.properties), str(e), e.reason) for e in EXPECTATIONS]
    return table(("case", "properties", "what must hold", "reason"), rows)


def scores() -> list[str]:
    """The table of the published audit."""
    fails = failures()
    rows = []
    for name, score in published()["scores"].items():
        noise = score["chance"].get("50")
        rows.append(
            (
                f"[`{name}`](metrics.md#{name.partition('/')[0]})",
                ", ".join(score["claims"]) or "nothing",
                "; ".join(fails.get(name, ())),
                f"{score['judged'] - score['fails']} of {score['judged']}",
                "" if noise is None else f"{noise:.2f}",
            )
        )
    return table(("score", "claims", "fails", "holds", "noise, 50 rows"), rows, numbers=2)


def comparison() -> list[str]:
    """The table of published numbers beside ours."""
    means = {}
    for cell in published()["cells"]:
        for value in cell["values"]:
            mean = sum(value["scores"]) / len(value["scores"])
            means[cell["case"], cell["score"]] = mean
            means[f"{cell['case']} {value['amount']:g}", cell["score"]] = mean
    rows = [
        (codes, f"`{score}`", theirs, f"{means[case, score]:.3f}")
        for codes, case, score, theirs in GUARD
    ]
    return table(("codes", "score", "theirs", "ours"), rows, numbers=2)


DEPENDENT = (
    ("independent", "normal factors"),
    ("correlated, 0.9", "correlated normals"),
    ("a copy, 0.99", "copied normal factor"),
    ("a sum", "sum of two normals"),
)
"""Heading of a column, and the case of its scores at the last amount."""


def dependent() -> list[str]:
    """The table of perfect codes of continuous factors, and whether the score stays."""
    cells = {(c["score"], c["case"]): c for c in json.loads(CONTINUOUS.read_text())["cells"]}
    rows = []
    for name in dict.fromkeys(score for score, _ in cells):
        own = [cells[name, case] for _, case in DEPENDENT]
        if not own[0]["values"]:
            continue
        last = [fmean(cell["values"][-1]["scores"]) for cell in own]
        judged = {cell["verdict"] for cell in own[1:]}
        said = "fall" if "fails" in judged else "stay" if "holds" in judged else "not judged"
        rows.append((f"`{name}`", *(f"{value:.2f}" for value in last), said))
    return table(("score", *(heading for heading, _ in DEPENDENT), "perfect codes"), rows)


def failures() -> dict[str, list[str]]:
    """The cases in which each score of the published audit fails."""
    cases: dict[str, list[str]] = {}
    for cell in published()["cells"]:
        if cell["verdict"] == "fails":
            cases.setdefault(cell["score"], []).append(cell["case"])
    return cases


def paragraph(metric: str) -> str:
    """What the published audit says of a metric, for its part of the page of metrics."""
    scores = {
        name: score
        for name, score in published()["scores"].items()
        if name.partition("/")[0] == metric
    }
    rows = [
        f"`{name}` ({', '.join(score['claims'])}): {score['judged'] - score['fails']} of "
        f"{score['judged']} cases hold{fails_in(name)}{ratio_of(score)}."
        if score["claims"]
        else f"`{name}` claims nothing that is judged{ratio_of(score)}."
        for name, score in scores.items()
    ]
    return f"**[Audit](audit.md).** {' '.join(rows)}" if rows else ""


def fails_in(score: str) -> str:
    """The cases in which a score fails, as the end of a clause."""
    cases = failures().get(score)
    return f"; fails: *{'*; *'.join(cases)}*" if cases else ""


def ratio_of(score: dict[str, Any]) -> str:
    """The signal-to-noise ratio of a score, as the end of a clause."""
    within = score["within"]
    return f". Signal to noise {ratio_text(score['between'] / within)}" if within else ""


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
    COPY.write_text((RESULT / "page.html").read_text())
