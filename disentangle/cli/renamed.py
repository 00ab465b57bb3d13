"""Commands and options that were renamed in 0.2: the old spelling works, and a line names the new.

They go in 0.3, together with this module.
"""

from disentangle._utils.console import say
from disentangle._utils.text import WARNING

COMMANDS = {("figure", "sweep"): "effect"}
"""(group, old name) -> name."""
OPTIONS = {
    ("prepare", "--from"): "--file",
    ("sheet", "--from"): "--file",
    ("effect", "--knob"): "--of",
    ("import", "--knob"): "--set",
    ("watch", "--tensorboard"): "--track=tensorboard",
}
"""(command, old option) -> option."""


def command_name(group: str, name: str) -> str:
    """The name of a command of a group, which may be given by its old name."""
    new = COMMANDS.get((group, name))
    if new is None:
        return name
    say(f"{WARNING}`disentangle {group} {name}` is now `disentangle {group} {new}`")
    return new


def option_names(command: str, words: list[str]) -> list[str]:
    """The words of a command line, with each old option replaced by its new name."""
    renamed = []
    for word in words:
        old, equals, value = word.partition("=")
        new = OPTIONS.get((command, old))
        if new is not None:
            say(f"{WARNING}the option {old} of `{command}` is now {new}")
        renamed.append(word if new is None else f"{new}{equals}{value}")
    return renamed
