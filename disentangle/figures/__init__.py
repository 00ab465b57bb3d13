"""Figures of one run and of many, as matplotlib figures; `Picture.save` writes one to a file."""

from typing import TYPE_CHECKING

from disentangle._utils.lazy import imported_when_used

if TYPE_CHECKING:
    from disentangle.figures.agreement import plot_agreement as plot_agreement
    from disentangle.figures.agreement import plot_protocols as plot_protocols
    from disentangle.figures.agreement import plot_variance as plot_variance
    from disentangle.figures.aligned import plot_aligned as plot_aligned
    from disentangle.figures.audit_matrix import plot_audit as plot_audit
    from disentangle.figures.contact_sheet import plot_contact_sheet as plot_contact_sheet
    from disentangle.figures.kl_curves import plot_kl as plot_kl
    from disentangle.figures.loss_curves import plot_curves as plot_curves
    from disentangle.figures.matrices import plot_matrices as plot_matrices
    from disentangle.figures.picture import Picture as Picture
    from disentangle.figures.reconstructions import plot_reconstructions as plot_reconstructions
    from disentangle.figures.reconstructions import plot_samples as plot_samples
    from disentangle.figures.run_rows import plot_rows as plot_rows
    from disentangle.figures.shift import plot_shift as plot_shift
    from disentangle.figures.sweeps import plot_effect as plot_effect
    from disentangle.figures.sweeps import plot_rate_distortion as plot_rate_distortion
    from disentangle.figures.trained_on import plot_trained_on as plot_trained_on
    from disentangle.figures.traversals import plot_traversals as plot_traversals

_HOMES = {
    "Picture": "picture",
    "plot_agreement": "agreement",
    "plot_aligned": "aligned",
    "plot_audit": "audit_matrix",
    "plot_contact_sheet": "contact_sheet",
    "plot_curves": "loss_curves",
    "plot_effect": "sweeps",
    "plot_kl": "kl_curves",
    "plot_matrices": "matrices",
    "plot_protocols": "agreement",
    "plot_rate_distortion": "sweeps",
    "plot_reconstructions": "reconstructions",
    "plot_rows": "run_rows",
    "plot_samples": "reconstructions",
    "plot_shift": "shift",
    "plot_trained_on": "trained_on",
    "plot_traversals": "traversals",
    "plot_variance": "agreement",
}
"""Public name -> the module that it comes from."""

__all__ = sorted(_HOMES)

__getattr__, __dir__ = imported_when_used(__name__, _HOMES)
