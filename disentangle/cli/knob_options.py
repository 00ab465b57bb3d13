"""The hyper-parameters of a plugin as options of a command."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional

from disentangle.contracts.plugin import Plugin
from disentangle.contracts.settings import option_knobs


def with_knobs(function: Callable[..., Any], cls: type[Plugin], panel: str) -> Callable[..., Any]:
    """Return `function` with a keyword-only option for each knob, as Typer reads them.

    `function` keeps its own parameters and receives the knobs as `**knobs`. No knob has the name of
    a parameter; see `entry_points.reserved_names`.
    """
    import typer

    from disentangle.cli import completion

    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    extra = []
    for name, declared in option_knobs(cls).items():
        option_type: Any = Literal[declared.choices] if declared.choices else declared.type
        if declared.default is None:
            option_type = Optional[option_type]  # noqa: UP045
        option = typer.Option(
            help=declared.help + (f" ({declared.bounds})" if declared.bounds else ""),
            rich_help_panel=panel,
            show_default=declared.default is not None,
            metavar="NAME" if name == "network" else None,
            autocompletion=completion.networks if name == "network" else None,
            case_sensitive=False,
        )
        extra.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=declared.default,
                annotation=Annotated[option_type, option],
            )
        )

    def command(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    command.__doc__ = function.__doc__
    command.__signature__ = signature.replace(parameters=[*own, *extra])  # type: ignore[attr-defined]
    return command
