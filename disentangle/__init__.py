"""disentangle: train, score and compare models of disentangled representation learning.

Everything that a plugin needs is here and in `disentangle.data`, `.maths`, `.nn`, `.studies` and
`.testing`. A name is imported when it is first used, so that `import disentangle` takes no time.
"""

from typing import TYPE_CHECKING

from disentangle._utils.lazy import imported_when_used
from disentangle._utils.versions import __version__ as __version__

if TYPE_CHECKING:
    from disentangle.auditing.audit import audit as audit
    from disentangle.auditing.tables import Audit as Audit
    from disentangle.auditing.training_order import RunAudit as RunAudit
    from disentangle.auditing.training_order import audit_run as audit_run
    from disentangle.contracts.dataset import Dataset as Dataset
    from disentangle.contracts.dataset import Grid as Grid
    from disentangle.contracts.dataset import Index as Index
    from disentangle.contracts.dataset import Labelled as Labelled
    from disentangle.contracts.external_encoder import ExternalEncoder as ExternalEncoder
    from disentangle.contracts.metric import Detail as Detail
    from disentangle.contracts.metric import Metric as Metric
    from disentangle.contracts.metric import RealFactors as RealFactors
    from disentangle.contracts.metric import Scores as Scores
    from disentangle.contracts.metric import factor_bins as factor_bins
    from disentangle.contracts.model import Batch as Batch
    from disentangle.contracts.model import Code as Code
    from disentangle.contracts.model import Model as Model
    from disentangle.contracts.model import Posterior as Posterior
    from disentangle.contracts.model import Term as Term
    from disentangle.contracts.model import Terms as Terms
    from disentangle.contracts.model import weighted as weighted
    from disentangle.contracts.plugin import Plugin as Plugin
    from disentangle.contracts.plugin import knob as knob
    from disentangle.contracts.references import Reference as Reference
    from disentangle.contracts.source import Codes as Codes
    from disentangle.contracts.source import Source as Source
    from disentangle.contracts.tracker import TrackedRun as TrackedRun
    from disentangle.contracts.tracker import Tracker as Tracker
    from disentangle.contracts.tracker import TrackerEntry as TrackerEntry
    from disentangle.contracts.vectors import Vectors as Vectors
    from disentangle.data.loading import load_dataset as load_dataset
    from disentangle.errors import DisentangleError as DisentangleError
    from disentangle.errors import Unavailable as Unavailable
    from disentangle.errors import UsageError as UsageError
    from disentangle.exports.export import export as export
    from disentangle.exports.import_runs import import_runs as import_runs
    from disentangle.runs.named import load_run as load_run
    from disentangle.runs.run import Run as Run
    from disentangle.score_tables.build import tables as tables
    from disentangle.scoring.baselines import baselines as baselines
    from disentangle.scoring.encode import encode as encode
    from disentangle.scoring.score_external import score_codes as score_codes
    from disentangle.scoring.score_external import score_encoder as score_encoder
    from disentangle.scoring.score_runs import score as score
    from disentangle.studies.report import report as report
    from disentangle.studies.sweep import sweep as sweep
    from disentangle.studies.train_seeds import train_seeds as train_seeds
    from disentangle.training.import_weights import import_weights as import_weights
    from disentangle.training.train import resume as resume
    from disentangle.training.train import train as train

_HOMES = {
    "Audit": "auditing.tables",
    "Batch": "contracts.model",
    "Code": "contracts.model",
    "Codes": "contracts.source",
    "Dataset": "contracts.dataset",
    "Detail": "contracts.metric",
    "DisentangleError": "errors",
    "ExternalEncoder": "contracts.external_encoder",
    "Grid": "contracts.dataset",
    "Index": "contracts.dataset",
    "Labelled": "contracts.dataset",
    "Metric": "contracts.metric",
    "Model": "contracts.model",
    "Plugin": "contracts.plugin",
    "Posterior": "contracts.model",
    "RealFactors": "contracts.metric",
    "Reference": "contracts.references",
    "Run": "runs.run",
    "RunAudit": "auditing.training_order",
    "Scores": "contracts.metric",
    "Source": "contracts.source",
    "Term": "contracts.model",
    "Terms": "contracts.model",
    "TrackedRun": "contracts.tracker",
    "Tracker": "contracts.tracker",
    "TrackerEntry": "contracts.tracker",
    "Unavailable": "errors",
    "UsageError": "errors",
    "Vectors": "contracts.vectors",
    "audit": "auditing.audit",
    "audit_run": "auditing.training_order",
    "baselines": "scoring.baselines",
    "encode": "scoring.encode",
    "export": "exports.export",
    "factor_bins": "contracts.metric",
    "import_runs": "exports.import_runs",
    "import_weights": "training.import_weights",
    "knob": "contracts.plugin",
    "load_dataset": "data.loading",
    "load_run": "runs.named",
    "report": "studies.report",
    "resume": "training.train",
    "score": "scoring.score_runs",
    "score_codes": "scoring.score_external",
    "score_encoder": "scoring.score_external",
    "sweep": "studies.sweep",
    "tables": "score_tables.build",
    "train": "training.train",
    "train_seeds": "studies.train_seeds",
    "weighted": "contracts.model",
}
"""Public name -> the module that it comes from."""

__all__ = [*sorted(_HOMES), "__version__"]

__getattr__, __dir__ = imported_when_used(__name__, _HOMES)
