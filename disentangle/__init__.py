"""disentangle: train, score and compare models of disentangled representation learning."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from disentangle.data import load_dataset as load_dataset
    from disentangle.errors import DisentangleError as DisentangleError
    from disentangle.errors import UsageError as UsageError
    from disentangle.experiment import resume as resume
    from disentangle.experiment import train as train
    from disentangle.foreign import score_codes as score_codes
    from disentangle.foreign import score_encoder as score_encoder
    from disentangle.importing import import_weights as import_weights
    from disentangle.pages import report as report
    from disentangle.run import Run as Run
    from disentangle.run import load_run as load_run
    from disentangle.scoring import score as score
    from disentangle.sweeping import sweep as sweep
    from disentangle.tabling import tables as tables

__version__ = "0.1.0"

_HOMES = {
    "DisentangleError": "errors",
    "Run": "run",
    "UsageError": "errors",
    "import_weights": "importing",
    "load_dataset": "data",
    "load_run": "run",
    "report": "pages",
    "resume": "experiment",
    "score": "scoring",
    "score_codes": "foreign",
    "score_encoder": "foreign",
    "sweep": "sweeping",
    "tables": "tabling",
    "train": "experiment",
}
"""Public name -> the module that it is imported from when first used."""

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'disentangle' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"disentangle.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
