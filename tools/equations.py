"""Typeset formulas in the documentation as MathML, which browsers show without a script or a font.

A page has TeX in a fenced block `math` or between dollars, as on GitHub. A docstring has its
formula in plain text; `equations.toml` beside this file has the same formula in TeX.
"""

import functools
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import griffe
import latex2mathml.converter
import markdown
from markdown.inlinepatterns import InlineProcessor

LONG = 60
"""Characters of TeX above which a formula within a line scrolls on a narrow screen."""


@functools.cache
def equations() -> dict[str, dict[str, str]]:
    """The formulas of docstrings: class or function -> formula in plain text -> the same in TeX."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text())


def block(source: str, *args: Any, **kwargs: Any) -> str:
    """Typeset a fenced block of TeX on a line of its own."""
    return latex2mathml.converter.convert(source.strip(), display="block")


class Inline(InlineProcessor):
    """Typesets TeX between dollars, within a line."""

    def handleMatch(self, m: re.Match[str], data: str) -> tuple[str, int, int]:  # type: ignore[override]
        """Return the formula as MathML, and where its text begins and ends."""
        mathml = latex2mathml.converter.convert(m[1])
        if len(m[1]) > LONG:
            mathml = f'<span class="long-formula">{mathml}</span>'
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


# One letter with an index: z_i, w_ij, v_(1), S_(1)k.
SYMBOL = r"[A-Za-z]_(?:[A-Za-z0-9]{1,2}|\(\d\)[a-z]?)"
INDEX = re.compile(r"_((?:\(\d\))?[A-Za-z0-9]*)")
# A symbol, or a function of symbols: I(z_i; v_k), H_K(P_i).
TERM = re.compile(rf"(?<!\w)(?:[A-Z](?:_\w)?\({SYMBOL}(?:[;,] {SYMBOL})*\)|{SYMBOL})(?![\w:])")
# What is not typeset within a docstring: TeX and code.
VERBATIM = re.compile(r"(```.*?```|``.+?``|`[^`\n]+`|\$[^$\n]+\$)", re.DOTALL)


def typeset(docstring: str, name: str) -> str:
    """Replace the formulas of the docstring of a class or function by TeX.

    A formula that opens the docstring, or follows its opening "Return", becomes a block. Symbols
    with an index need no entry in `equations.toml`.
    """
    formulas = equations()["common"] | equations().get(name, {})
    for plain, tex in formulas.items():
        opening = re.match(rf"(?:Return )?{pattern_of(plain)}(?!\w)[ ,;:.]*", docstring)
        if opening is not None and plain not in equations()["common"]:
            rest = docstring[opening.end() :]
            docstring = f"```math\n{tex}\n```\n\n{rest[:1].upper()}{rest[1:]}"
            break
    # Longer formulas come first, as a shorter one may be a part of them.
    any_formula = "|".join(map(pattern_of, sorted(formulas, key=len, reverse=True)))

    def tex_of(match: re.Match[str]) -> str:
        return f"${formulas[' '.join(match[0].split())]}$"

    docstring = replace(rf"(?<!\w)(?:{any_formula})(?!\w)", tex_of, docstring)
    return replace(TERM, lambda term: INDEX.sub(r"_{\1}", f"${term[0]}$"), docstring)


def pattern_of(formula: str) -> str:
    """A pattern of a formula in plain text, in which spaces match line breaks too."""
    return r"\s+".join(map(re.escape, formula.split()))


def replace(
    pattern: str | re.Pattern[str], tex_of: Callable[[re.Match[str]], str], text: str
) -> str:
    """Replace all matches of a pattern in a text, but for those in TeX or code."""
    parts = VERBATIM.split(text)
    return "".join(
        part if VERBATIM.fullmatch(part) else re.sub(pattern, tex_of, part) for part in parts
    )


class Equations(griffe.Extension):
    """Typesets the formulas of docstrings; an extension of Griffe."""

    def on_class_instance(self, *, cls: griffe.Class, **kwargs: Any) -> None:
        """Replace the formulas of a class."""
        self._typeset(cls, cls.name)

    def on_function_instance(self, *, func: griffe.Function, **kwargs: Any) -> None:
        """Replace the formulas of a function; the method `score` has those of its class."""
        of_class = func.name == "score" and func.parent is not None and func.parent.is_class
        self._typeset(func, func.parent.name if of_class else func.name)

    def on_attribute_instance(self, *, attr: griffe.Attribute, **kwargs: Any) -> None:
        """Replace the formulas of an attribute or property."""
        self._typeset(attr, attr.name)

    def _typeset(self, documented: griffe.Object, name: str) -> None:
        if documented.docstring is not None:
            documented.docstring.value = typeset(documented.docstring.value, name)
