"""A score table as the text in its cells."""

from disentangle.score_tables.table import Table


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.sheet.body]
