"""Show a plugin's paper, equation and knobs in the documentation, and what its audit found.

An extension of Griffe, which reads source code without importing it.
"""

from typing import Any

from griffe import Attribute, Class, ExprCall, ExprKeyword, Extension

from tools.audit import paragraph
from tools.equations import typeset


class Knobs(Extension):
    """Adds the module's docstring, the scores and a table of knobs to a plugin's docstring."""

    def on_class_members(self, *, cls: Class, **kwargs: Any) -> None:
        """Extend the docstring of a class that Griffe has read."""
        knobs = knobs_of(cls)
        of_plugin = cls.module.path.startswith("disentangle_plugins.")
        if cls.docstring is None or not (knobs or of_plugin):
            return
        texts = [cls.docstring.value]
        if of_plugin and cls.module.docstring:
            texts.insert(0, cls.module.docstring.value)
        score = cls.members.get("score")
        if score is not None and score.docstring is not None:
            texts.append(score.docstring.value.replace("Return", "**Returns**", 1))
        if cls.module.path.startswith("disentangle_plugins.metrics."):
            texts.append(paragraph(cls.module.name.replace("_", "-")))
        if knobs:
            lines = [row(name, member) for name, member in knobs.items()]
            texts.append("\n".join(["Attributes: Knobs", *lines]))
        cls.docstring.value = "\n\n".join(texts)


def knobs_of(cls: Class) -> dict[str, Any]:
    """The members of a class that are knobs, and first those of its bases in the same module."""
    bases = [cls.module.members.get(str(base)) for base in reversed(cls.bases)]
    inherited = [knobs_of(base) for base in bases if isinstance(base, Class)]
    own = {name: member for name, member in cls.members.items() if knob_of(member)}
    return {name: member for knobs in [*inherited, own] for name, member in knobs.items()}


def knob_of(member: Any) -> ExprCall | None:
    """The call of `knob` that declares an attribute; None for any other member."""
    call = member.value if isinstance(member, Attribute) else None
    return call if isinstance(call, ExprCall) and str(call.function) == "knob" else None


def row(name: str, member: Any) -> str:
    """One row of the table of knobs: name, type, help, default and bounds."""
    call = knob_of(member)
    assert call is not None
    keywords = [argument for argument in call.arguments if isinstance(argument, ExprKeyword)]
    values = {argument.name: str(argument.value) for argument in keywords}
    bounds = [
        f"{word} {values[key]}"
        for key, word in (("min", "at least"), ("above", "above"), ("max", "at most"))
        if key in values
    ]
    default = values["default"].strip("\"'")
    domain = "; ".join([f"default `{default}`", *bounds])
    help = typeset(values["help"][1:-1], member.parent.name)
    return f"    {name} ({kind_of(member)}): {help} ({domain})"


def kind_of(member: Attribute) -> str:
    """An attribute's type; if it is an alias defined in its module, the aliased type."""
    named = member.module.members.get(str(member.annotation))
    return str(named.value if isinstance(named, Attribute) else member.annotation)
