"""Formulas that several metrics and models share."""

from typing import TYPE_CHECKING

from disentangle._utils.lazy import imported_when_used

if TYPE_CHECKING:
    from disentangle.maths.aggregate_posterior import covariance as covariance
    from disentangle.maths.aggregate_posterior import log_densities as log_densities
    from disentangle.maths.aggregate_posterior import log_prior as log_prior
    from disentangle.maths.aggregate_posterior import log_weights as log_weights
    from disentangle.maths.aggregate_posterior import off_diagonal as off_diagonal
    from disentangle.maths.correlation import angular_correlation as angular_correlation
    from disentangle.maths.correlation import angular_correlations as angular_correlations
    from disentangle.maths.correlation import canonical_correlations as canonical_correlations
    from disentangle.maths.correlation import circle as circle
    from disentangle.maths.correlation import circular_correlation as circular_correlation
    from disentangle.maths.correlation import largest_correlations as largest_correlations
    from disentangle.maths.correlation import (
        randomised_dependence as randomised_dependence,
    )
    from disentangle.maths.correlation import sine_bases as sine_bases
    from disentangle.maths.correlation import unit_columns as unit_columns
    from disentangle.maths.gradient_boosting import GradientBoosting as GradientBoosting
    from disentangle.maths.hausdorff import draw_latent_pairs as draw_latent_pairs
    from disentangle.maths.hausdorff import factorised_support as factorised_support
    from disentangle.maths.hessian_penalty import HessianPenalty as HessianPenalty
    from disentangle.maths.importance import Numbers as Numbers
    from disentangle.maths.importance import completeness as completeness
    from disentangle.maths.importance import dci_scores as dci_scores
    from disentangle.maths.importance import disentanglement as disentanglement
    from disentangle.maths.information import discretise as discretise
    from disentangle.maths.information import entropies as entropies
    from disentangle.maths.information import entropy as entropy
    from disentangle.maths.information import gaps as gaps
    from disentangle.maths.information import mutual_information as mutual_information
    from disentangle.maths.inputs import codes_and_labels as codes_and_labels
    from disentangle.maths.inputs import codes_and_values as codes_and_values
    from disentangle.maths.inputs import finite_array as finite_array
    from disentangle.maths.inputs import floats as floats
    from disentangle.maths.kernel_density import (
        kernel_multi_information as kernel_multi_information,
    )
    from disentangle.maths.knn_information import knn_mutual_information as knn_mutual_information
    from disentangle.maths.knn_information import ksg_mutual_information as ksg_mutual_information
    from disentangle.maths.knn_shares import neighbour_shares as neighbour_shares
    from disentangle.maths.knn_shares import real_numbers as real_numbers
    from disentangle.maths.linear_svm import fit_svms as fit_svms
    from disentangle.maths.linear_svm import highest_line as highest_line
    from disentangle.maths.matching import equal_count_bins as equal_count_bins
    from disentangle.maths.matching import information_in_equal_bins as information_in_equal_bins
    from disentangle.maths.matching import matched_latents as matched_latents
    from disentangle.maths.probes import each_varying_factor as each_varying_factor
    from disentangle.maths.probes import prevalence as prevalence
    from disentangle.maths.probes import small_fit as small_fit
    from disentangle.maths.probes import standardised as standardised
    from disentangle.maths.probes import threads as threads
    from disentangle.maths.probes import varying_factors as varying_factors
    from disentangle.maths.targets import Targets as Targets
    from disentangle.maths.targets import numeric_targets as numeric_targets
    from disentangle.maths.targets import regression as regression

_HOMES = {
    "GradientBoosting": "gradient_boosting",
    "HessianPenalty": "hessian_penalty",
    "Numbers": "importance",
    "Targets": "targets",
    "angular_correlation": "correlation",
    "angular_correlations": "correlation",
    "canonical_correlations": "correlation",
    "circle": "correlation",
    "circular_correlation": "correlation",
    "codes_and_labels": "inputs",
    "codes_and_values": "inputs",
    "completeness": "importance",
    "covariance": "aggregate_posterior",
    "dci_scores": "importance",
    "discretise": "information",
    "disentanglement": "importance",
    "draw_latent_pairs": "hausdorff",
    "each_varying_factor": "probes",
    "entropies": "information",
    "entropy": "information",
    "equal_count_bins": "matching",
    "factorised_support": "hausdorff",
    "finite_array": "inputs",
    "fit_svms": "linear_svm",
    "floats": "inputs",
    "gaps": "information",
    "highest_line": "linear_svm",
    "information_in_equal_bins": "matching",
    "kernel_multi_information": "kernel_density",
    "knn_mutual_information": "knn_information",
    "ksg_mutual_information": "knn_information",
    "largest_correlations": "correlation",
    "log_densities": "aggregate_posterior",
    "log_prior": "aggregate_posterior",
    "log_weights": "aggregate_posterior",
    "matched_latents": "matching",
    "mutual_information": "information",
    "neighbour_shares": "knn_shares",
    "numeric_targets": "targets",
    "off_diagonal": "aggregate_posterior",
    "prevalence": "probes",
    "randomised_dependence": "correlation",
    "real_numbers": "knn_shares",
    "regression": "targets",
    "sine_bases": "correlation",
    "small_fit": "probes",
    "standardised": "probes",
    "threads": "probes",
    "unit_columns": "correlation",
    "varying_factors": "probes",
}
"""Public name -> the module that defines it."""

__all__ = sorted(_HOMES)

__getattr__, __dir__ = imported_when_used(__name__, _HOMES)
