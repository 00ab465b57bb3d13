"""What `disentangle show` says of a plugin, on the documentation's pages: paper, class and knobs.

An extension of Griffe, which reads source text and imports nothing.
"""

from typing import Any

from griffe import Attribute, Class, ExprCall, ExprKeyword, Extension


class Knobs(Extension):
    """Adds to a plugin's docstring its module's, its scores, and a table of its knobs."""

    def on_class_members(self, *, cls: Class, **kwargs: Any) -> None:
        """Called when a class has been read."""
        found = {name: call for name, member in cls.members.items() if (call := knob_of(member))}
        of_plugin = cls.module.path.startswith("disentangle_plugins.")
        if cls.docstring is None or not (found or of_plugin):
            return
        said = [cls.docstring.value]
        if of_plugin and cls.module.docstring:
            said.insert(0, cls.module.docstring.value)
        score = cls.members.get("score")
        if score is not None and score.docstring is not None:
            said.append(score.docstring.value.replace("Return", "**Returns**", 1))
        if found:
            lines = [row(name, cls.members[name], call) for name, call in found.items()]
            said.append("\n".join(["Attributes: Knobs", *lines]))
        cls.docstring.value = "\n\n".join(said)


def knob_of(member: Any) -> ExprCall | None:
    """Return the call of `knob` that makes an attribute, if one does."""
    call = member.value if isinstance(member, Attribute) else None
    return call if isinstance(call, ExprCall) and str(call.function) == "knob" else None


def row(name: str, member: Any, call: ExprCall) -> str:
    """Return a line of the table: name, type, what it is, default and bounds."""
    given = [argument for argument in call.arguments if isinstance(argument, ExprKeyword)]
    said = {argument.name: str(argument.value) for argument in given}
    bounds = [
        f"{word} {said[key]}"
        for key, word in (("min", "at least"), ("above", "above"), ("max", "at most"))
        if key in said
    ]
    default = said["default"].strip("\"'")
    about = "; ".join([f"default `{default}`", *bounds])
    return f"    {name} ({kind_of(member)}): {said['help'][1:-1]} ({about})"


def kind_of(member: Attribute) -> str:
    """Return an attribute's type, or the choices that a name of its module stands for."""
    named = member.module.members.get(str(member.annotation))
    return str(named.value if isinstance(named, Attribute) else member.annotation)
