"""HTML from the templates: whole pages, with their style and script inside."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from disentangle._utils.versions import made_by
from disentangle.score_tables.table import Table

TEMPLATES = Path(__file__).parent / "templates"
ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""Characters that end a script, or a line of it -> what JSON has for them."""


def tables_page(tables: Sequence[Table]) -> str:
    """A page of score tables, and of the papers' tables beside them."""
    return render("table", {"sheets": [sheet for table in tables for sheet in table.sheets]})


def render(name: str, about: Mapping[str, Any], script: str = "") -> str:
    """Render the page of this name, with its style and a script of the templates inside."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["json"] = json_text
    page = environment.get_template(f"{name}.html")
    return page.render(
        **about,
        style=part("style.css"),
        script=part(script) if script else "",
        made_by=made_by(),
    )


def part(name: str) -> Markup:
    """A part of the templates, as it stands in a page."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def json_text(value: Any) -> Markup:
    """JSON that may stand inside a script element: nothing in it ends that."""
    text = json.dumps(value, allow_nan=False)
    return Markup("".join(ESCAPED.get(c, c) for c in text))
