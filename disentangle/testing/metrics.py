"""The rules of the metric contract."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from unittest import SkipTest

import numpy as np

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts import registry
from disentangle.contracts.dataset import Labelled
from disentangle.contracts.metric import Detail, Metric, Scores
from disentangle.contracts.source import Source
from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle.scoring.metric_spec import check_names
from disentangle.testing import knobs as knob_rules
from disentangle.testing.check import Rules, Violation, require, says_source, undisturbed
from disentangle.testing.examples import SyntheticCodes

ORDER = (2, 3, 0, 1)
"""Of latents, to be sure that it does not matter."""
CLOSE = 1e-3


@dataclass(frozen=True)
class Subject:
    """A metric class, and its scores of codes that are known."""

    kind: type[Metric[Any]]
    name: str

    @cached_property
    def metric(self) -> Metric[Any]:
        """Return the metric at its defaults, which scores everything here."""
        return self.kind()

    @cached_property
    def seen(self) -> SyntheticCodes:
        """Return the codes that are noise, of which one score is made."""
        return SyntheticCodes("noise")

    def score(self, source: Source[Any]) -> Scores:
        """Return what the metric finds."""
        return self.metric.score(source, numpy_rng(0, "metric"))

    @cached_property
    def oracle(self) -> Scores:
        """Return the scores of codes that are the factors."""
        return self.score(SyntheticCodes("oracle"))

    @cached_property
    def noise(self) -> Scores:
        """Return the scores of codes that are noise."""
        return self.score(self.seen)

    def or_reason(self, source: Source[Any], what: str) -> Scores | None:
        """Return the scores, or None where the metric says that there are none."""
        try:
            found = self.score(source)
        except Unavailable:
            return None
        except Exception as error:
            raise Violation(
                f"{what}: {type(error).__name__}: {error}; where a score is undefined, raise "
                "Unavailable and say why, and tables show n/a"
            ) from error
        numbers(found, what)
        return found


def subject(metric: str | type[Metric[Any]]) -> Subject:
    """Return a metric, given by name or as a class."""
    kind = registry.metrics.load(metric) if isinstance(metric, str) else metric
    if not isinstance(SyntheticCodes("oracle").dataset, kind.needs):
        raise SkipTest(f"no example of {kind.needs.__name__}, which the metric needs, is at hand")
    return Subject(kind, metric if isinstance(metric, str) else "")


def numbers(found: Scores, what: str) -> dict[str, float]:
    """Return the scores that there are, checked to be finite."""
    scores = {}
    for name, value in found.items():
        if isinstance(value, Unavailable | Detail):
            continue
        right = isinstance(value, int | float | np.number) and math.isfinite(value)
        require(
            right,
            f"score '{name}' of {what} is {value!r}: return a finite number, or an Unavailable "
            "that says why there is none",
        )
        scores[name] = float(value)
    return scores


def lacks_factors(s: Subject) -> str:
    """Return why a metric knows no oracle."""
    if s.kind.of_model:
        return "scores the model, so that no codes are an oracle"
    return "" if issubclass(s.kind.needs, Labelled) else "reads no labels, so that it has no oracle"


def reads_the_order(s: Subject) -> str:
    """Return why a metric may depend on the order of latents."""
    return "declares that the order of latents matters" if s.kind.ordered else ""


rules = Rules[Subject]()


@rules
def class_names_its_source(s: Subject) -> None:
    """The class says its equation, the module its paper."""
    says_source(s.kind, "the class")


@rules
def knobs_say_what_they_are(s: Subject) -> None:
    """Every knob has help and a valid default."""
    knob_rules.say_what_they_are(s.kind)


@rules
def knobs_survive(s: Subject) -> None:
    """Command line, record, metric and scoring leave every knob as it was given."""
    knob_rules.survive(s.kind)
    assert s.noise
    knob_rules.unchanged(s.metric)


@rules
def scores_are_finite_numbers(s: Subject) -> None:
    """Codes that are the factors, and noise, have finite scores under names of the metric's own."""
    for what, found in (("an oracle", s.oracle), ("noise", s.noise)):
        scores = numbers(found, what)
        require(bool(scores), f"{what} has no score: {dict(found)}")
        if s.name:
            check_names(s.name, found)
    strange = {*s.kind.better, *s.kind.roles} - set(s.oracle)
    require(not strange, f"better and roles name {sorted(strange)}, and there is no such score")


@rules
def details_have_the_sizes_of_their_axes(s: Subject) -> None:
    """What is behind a score has a number for each latent, each factor, or both."""
    sizes = {"latent": len(ORDER), "factor": 3}
    for name, detail in s.oracle.items():
        if isinstance(detail, Detail):
            shape = tuple(sizes[axis] for axis in detail.axes)
            require(
                detail.values.shape == shape,
                f"detail '{name}' along {detail.axes} has shape {detail.values.shape} for 4 "
                f"latents and 3 factors: it is to be {shape}",
            )


@rules
def generator_decides_alone(s: Subject) -> None:
    """The same codes and the same generator give the same scores."""
    first, second = numbers(s.noise, "noise"), numbers(s.score(SyntheticCodes("noise")), "noise")
    require(
        first == second,
        f"the same codes from the same rng score {first} and then {second}: draw from rng alone, "
        "and give scikit-learn random_state=int(rng.integers(2**31))",
    )


@rules
def nothing_is_printed_or_seeded(s: Subject) -> None:
    """The metric prints nothing, and leaves global generators alone."""
    with undisturbed("score()", "draw from rng; scikit-learn takes random_state="):
        s.score(SyntheticCodes("noise"))


@rules
def codes_are_left_as_they_were(s: Subject) -> None:
    """No array of codes or labels is changed in place."""
    assert s.noise
    require(
        all(np.array_equal(now, then) for now, then in s.seen.given),
        "score() changes codes or labels in place, which other metrics read too: work on a copy",
    )


@rules.unless(reads_the_order)
def order_of_latents_does_not_matter(s: Subject) -> None:
    """The scores of codes whose columns change places are the same."""
    first = numbers(s.oracle, "an oracle")
    second = numbers(s.score(SyntheticCodes("oracle", ORDER)), "an oracle")
    for name, value in first.items():
        other = second.get(name, math.nan)
        require(
            abs(other - value) <= CLOSE * max(1, abs(value)),
            f"score '{name}' is {value:.4g}, and {other:.4g} when latents change places: treat "
            "them alike, or declare `ordered = True` where a paper wants an order",
        )


@rules.unless(lacks_factors)
def oracle_scores_above_noise(s: Subject) -> None:
    """Codes that are the factors score better than noise, in the direction that is declared."""
    oracle, noise = numbers(s.oracle, "an oracle"), numbers(s.noise, "noise")
    for name in oracle.keys() & noise.keys():
        better = s.kind.better.get(name, "more")
        if better != "neither":
            gain = (oracle[name] - noise[name]) * (1 if better == "more" else -1)
            require(
                gain > 0,
                f"score '{name}' is {oracle[name]:.4g} for codes that are the factors and "
                f"{noise[name]:.4g} for noise, and '{better}' is better: mend it, or declare "
                f"`better`, as in MappingProxyType({{'{name}': 'less'}})",
            )


def degenerate(s: Subject) -> Mapping[str, Source[Any]]:
    """Return codes of which a score may well be undefined, by what they are."""
    cases: dict[str, Source[Any]] = {
        "one latent": SyntheticCodes("oracle", (0,)),
        "constant latents": SyntheticCodes("constant"),
        "one factor": SyntheticCodes("oracle", (0, 1), factors=(4,)),
    }
    if issubclass(Labelled, s.kind.needs) and not s.kind.of_model:
        z = numpy_rng(0, "degenerate").normal(size=(50, 2))
        cases["three images"] = array_source(z[:3], [[0, 1], [1, 0], [1, 1]])
        cases["no factor that varies, v [N, 0]"] = array_source(z, np.zeros((50, 2), int))
    return cases


@rules
def undefined_scores_are_unavailable(s: Subject) -> None:
    """Where codes are degenerate a score is finite, or Unavailable with a reason."""
    for what, source in degenerate(s).items():
        s.or_reason(source, what)


@rules
def missing_needs_are_unavailable(s: Subject) -> None:
    """Codes without a model and a posterior have finite scores, or are Unavailable."""
    found = s.or_reason(SyntheticCodes("oracle", whole=False), "codes without a model")
    require(
        not (s.kind.of_model and found),
        "it is declared of_model, and scores codes that have no model: raise Unavailable, or "
        "declare of_model = False",
    )
