"""Render self-contained HTML pages from the templates, with CSS and JavaScript inlined."""

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
"""Characters that could end a script element or a line in it -> their JSON escapes."""


def tables_page(tables: Sequence[Table]) -> str:
    """The HTML page of score tables and of the published tables of papers."""
    return render("table", {"sheets": [sheet for table in tables for sheet in table.sheets]})


def render(name: str, values: Mapping[str, Any], script: str = "") -> str:
    """Render a page template with its values, inlining the style sheet and a script file."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["json"] = json_text
    environment.globals["part"] = part
    page = environment.get_template(f"{name}.html")
    return page.render(
        **values,
        style=part("style.css"),
        script=part(script) if script else "",
        made_by=made_by(),
    )


def part(name: str) -> Markup:
    """The text of a file of the templates, inserted into a page without escaping."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def json_text(value: Any) -> Markup:
    """JSON escaped for a script element: no value can close the element."""
    text = json.dumps(value, allow_nan=False)
    return Markup("".join(ESCAPED.get(c, c) for c in text))
