"""Mark short code within a text, which the style sheet keeps whole: no break after a `--`."""

import re
from typing import Any

import markdown
from markdown.postprocessors import Postprocessor

SHORT = re.compile(r"(?<!<pre>)<code>(?=[^<\n]{1,30}</code>)")
"""Code that fits a line of a phone."""


class Mark(Postprocessor):
    """Gives short code the class `short`."""

    def run(self, text: str) -> str:
        """Mark the code of a page."""
        return SHORT.sub('<code class="short">', text)


class ShortCode(markdown.Extension):
    """Adds the mark to Markdown."""

    def extendMarkdown(self, md: markdown.Markdown) -> None:
        """Register it after the processor that puts code in its place, of priority 30."""
        md.postprocessors.register(Mark(md), "short_code", 15)


def makeExtension(**kwargs: Any) -> ShortCode:
    """Return the extension; Python-Markdown looks for this function."""
    return ShortCode(**kwargs)
