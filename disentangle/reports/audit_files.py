"""The files of an audit: Markdown, CSV, JSON, a figure and a page."""

from pathlib import Path

from disentangle._utils.files import write_json, write_text
from disentangle.auditing.tables import Audit, as_csv, as_dict, as_markdown
from disentangle.errors import UsageError
from disentangle.figures.audit_matrix import draw_audit
from disentangle.reports.audit_page import audit_page

FIGURES = ("matrix.png", "matrix.svg")


def check_folder(folder: Path) -> None:
    """Raise an error if a file is where the folder should be."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {folder}: expected a folder, got a file")


def write_audit(audit: Audit, folder: Path) -> list[Path]:
    """Write the files of an audit into a folder, which is made if needed; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"table.md": as_markdown(audit), "cells.csv": as_csv(audit)}
    texts["page.html"] = audit_page(audit)
    for name, text in texts.items():
        write_text(folder / name, text)
    write_json(folder / "audit.json", as_dict(audit))
    for name in FIGURES:
        draw_audit(audit, folder / name)
    return [folder / name for name in (*texts, "audit.json", *FIGURES)]
