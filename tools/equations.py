"""Typeset formulas in the documentation as MathML, which browsers show without a script or a font.

A page has TeX in a fenced block `math` or between dollars, as on GitHub. A plugin's docstring has
its formula in plain text; `equations.toml` beside this file has the same formula in TeX.
"""

import functools
import re
import tomllib
from pathlib import Path
from typing import Any

import griffe
import latex2mathml.converter
import markdown
from markdown.inlinepatterns import InlineProcessor


@functools.cache
def equations() -> dict[str, dict[str, str]]:
    """The formulas of plugins: class -> formula in plain text -> the same in TeX."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text())


def block(source: str, *args: Any, **kwargs: Any) -> str:
    """Typeset a fenced block of TeX on a line of its own."""
    return latex2mathml.converter.convert(source.strip(), display="block")


class Inline(InlineProcessor):
    """Typesets TeX between dollars, within a line."""

    def handleMatch(self, m: re.Match[str], data: str) -> tuple[str, int, int]:  # type: ignore[override]
        """Return the formula as MathML, and where its text begins and ends."""
        mathml = latex2mathml.converter.convert(m[1])
        return self.md.htmlStash.store(mathml), m.start(0), m.end(0)


class Dollars(markdown.Extension):
    """Adds inline formulas to Markdown."""

    def extendMarkdown(self, md: markdown.Markdown) -> None:
        """Register the pattern after code spans, in which a dollar is a dollar."""
        md.inlinePatterns.register(
            Inline(r"(?<![\\$\w])\$(?=\S)([^$\n]+?)(?<=\S)\$(?!\w)", md), "math", 185
        )


def makeExtension(**kwargs: Any) -> Dollars:
    """Return the extension; Python-Markdown looks for this function."""
    return Dollars(**kwargs)


def typeset(docstring: str, formulas: dict[str, str]) -> str:
    """Replace formulas of a docstring by TeX; one that opens the docstring becomes a block.

    Longer formulas are replaced first, as a shorter one may be a part of them.
    """
    for plain, tex in formulas.items():
        if docstring.startswith(plain):
            rest = docstring.removeprefix(plain).lstrip(" ,;:.")
            docstring = f"```math\n{tex}\n```\n\n{rest[:1].upper()}{rest[1:]}"
    if not formulas:
        return docstring
    plain_texts = sorted(formulas, key=len, reverse=True)
    # Spaces match line breaks too.
    pattern = "|".join(r"\s+".join(map(re.escape, text.split())) for text in plain_texts)

    def tex_of(match: re.Match[str]) -> str:
        return f"${formulas[' '.join(match[0].split())]}$"

    parts = re.split(r"(```math\n.*?\n```)", docstring, flags=re.DOTALL)
    return "".join(
        part if part.startswith("```math") else re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", tex_of, part)
        for part in parts
    )


class Equations(griffe.Extension):
    """Typesets the formulas of plugins' docstrings; an extension of Griffe."""

    def on_class_members(self, *, cls: griffe.Class, **kwargs: Any) -> None:
        """Replace the formulas of a class that Griffe has read, and of its method `score`."""
        for documented in (cls, cls.members.get("score")):
            if documented is not None and documented.docstring is not None:
                formulas = equations().get(cls.name, {})
                documented.docstring.value = typeset(documented.docstring.value, formulas)
