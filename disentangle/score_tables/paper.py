"""A score table as a paper prints it: published names, symbols, arrows and a short caption."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from disentangle.contracts.descriptions import describe, display_of_score
from disentangle.runs.records import Value
from disentangle.runs.score_records import ColumnKey
from disentangle.score_tables.cells import Row
from disentangle.score_tables.heads import ARROWS, Head
from disentangle.score_tables.parts import parts
from disentangle.score_tables.render import Sheet
from disentangle.score_tables.statistics import STATISTICS
from disentangle.score_tables.table import Table
from disentangle.scoring.metric_traits import direction

GREEK = {
    "alpha": "α",  # noqa: RUF001
    "beta": "β",
    "gamma": "γ",  # noqa: RUF001
    "delta": "δ",
    "epsilon": "ε",
    "eta": "η",
    "lambda": "λ",
    "mu": "μ",
    "sigma": "σ",  # noqa: RUF001
    "tau": "τ",
}
"""Name of a hyper-parameter, or its first part -> symbol."""


def paper_sheets(table: Table) -> list[Sheet]:
    """The parts of a score table and the published tables below it, as a paper prints them."""
    published = [published_sheet(paper.sheet(table.dataset)) for paper in table.papers]
    return [*parts(paper_sheet(table), repeated=True), *published]


def paper_sheet(table: Table) -> Sheet:
    """A score table as a paper prints it, without constant columns unless they were chosen."""
    sheet, words = table.sheet, list(table.left)
    body = []
    for row, cells in zip(table.rows, sheet.body, strict=True):
        texts = [cell.text for cell in cells]
        texts[0] = model_name(row)
        if "settings" in words:
            texts[words.index("settings")] = settings_text(table, row)
        body.append([replace(cell, text=t) for cell, t in zip(cells, texts, strict=True)])
    scores = [heading(column, text) for column, text in table.columns.items()]
    heads = paper_heads(table, sheet.heads)
    sheet = replace(sheet, head=[*words, *scores], heads=heads, body=body, brief=brief(table))
    if not table.words:
        sheet, constants = sheet.without_constants()
        sheet = replace(sheet, caption=f"{constants} {sheet.caption}".strip())
    first = [text.capitalize() for text in sheet.head[: sheet.words]]
    return replace(sheet, head=[*first, *sheet.head[sheet.words :]])


def published_sheet(sheet: Sheet) -> Sheet:
    """A paper's table, with symbols in names such as beta-VAE."""

    def named(text: str) -> str:
        return re.sub(r"\bbeta-(?=[A-Z])", "β-", text)

    body = [[replace(cell, text=named(cell.text)) for cell in row] for row in sheet.body]
    return replace(sheet, head=list(map(named, sheet.head)), body=body)


def model_name(row: Row) -> str:
    """A model's name as papers write it, with its remark; the own name of what is not a model."""
    name = describe("model", row.model).display if row.trained else row.model
    return f"{name} ({row.remark})" if row.remark else name


def heading(column: ColumnKey, text: str) -> str:
    """A score's name as papers write it, the better direction, and what sets its column apart."""
    return score_name(column) + text.removeprefix(column.score)


def score_name(column: ColumnKey) -> str:
    """A score's name as papers write it, with the better direction."""
    return f"{display_of_score(column.score)} {ARROWS.get(direction(column) or '', '')}".strip()


def paper_heads(table: Table, heads: Sequence[Head]) -> tuple[Head, ...]:
    """Headings in two rows with names as papers write them."""
    made = []
    for column, head in zip(table.columns, heads, strict=True):
        score, metric = score_name(column), describe("metric", head.metric).display
        made.append(replace(head, score=score, metric=metric, part=score))
    return tuple(made)


def settings_text(table: Table, row: Row) -> str:
    """A row's own settings with symbols, such as `β=4`."""
    shared: Mapping[str, Value] = {**table.shared, **table.shared_by(row.model)}
    own = {symbol(k): short(v) for k, v in row.settings.items() if k not in shared}
    texts = [f"{k}={v}" for k, v in own.items()]
    return ", ".join([*texts, *([row.source] if row.source else [])])


def symbol(name: str) -> str:
    """A hyper-parameter's symbol, such as `λ_od` for `lambda_od`; else its name."""
    first, mark, rest = name.partition("_")
    return GREEK[first] + mark + rest if first in GREEK else name


def short(value: Value) -> str:
    """A value without needless decimals."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def brief(table: Table) -> str:
    """A caption of a few sentences."""
    notes = [f"{table.dataset}."]
    counts = sorted({len(row.seeds) for row in table.rows if row.trained or row.seeds})
    if counts and counts[-1] > 1:
        seeds = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
        notes.append(f"{STATISTICS[table.statistic].title} over {seeds} seeds{table.uncertainty}.")
    if any(row.best for row in table.rows):
        notes.append(table.ranking)
    return " ".join([*notes, *table.marks])
