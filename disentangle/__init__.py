"""disentangle: train, score and compare models of disentangled representation learning."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from disentangle.data.loading import load_dataset as load_dataset
    from disentangle.errors import DisentangleError as DisentangleError
    from disentangle.errors import UsageError as UsageError
    from disentangle.reports.pages import report as report
    from disentangle.runs.run import Run as Run
    from disentangle.runs.run import load_run as load_run
    from disentangle.score_tables.build import tables as tables
    from disentangle.scoring.score_external import score_codes as score_codes
    from disentangle.scoring.score_external import score_encoder as score_encoder
    from disentangle.scoring.score_runs import score as score
    from disentangle.studies.sweep import sweep as sweep
    from disentangle.training.import_weights import import_weights as import_weights
    from disentangle.training.train import resume as resume
    from disentangle.training.train import train as train

from disentangle._utils.versions import __version__ as __version__

_HOMES = {
    "DisentangleError": "errors",
    "Run": "runs.run",
    "UsageError": "errors",
    "import_weights": "training.import_weights",
    "load_dataset": "data.loading",
    "load_run": "runs.run",
    "report": "reports.pages",
    "resume": "training.train",
    "score": "scoring.score_runs",
    "score_codes": "scoring.score_external",
    "score_encoder": "scoring.score_external",
    "sweep": "studies.sweep",
    "tables": "score_tables.build",
    "train": "training.train",
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
