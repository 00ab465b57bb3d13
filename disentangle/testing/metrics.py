"""The rules of the metric contract."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from unittest import SkipTest

import numpy as np

from disentangle._utils.seeds import numpy_rng
from disentangle.auditing.audit import claims_of
from disentangle.auditing.expectations import REPORTED
from disentangle.auditing.verdicts import OUTSIDE
from disentangle.contracts import registry
from disentangle.contracts.dataset import Labelled
from disentangle.contracts.metric import PROPERTIES, Detail, Metric, Scores
from disentangle.contracts.source import Source
from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle.scoring.metric_spec import check_names
from disentangle.testing import audits
from disentangle.testing import knobs as knob_rules
from disentangle.testing.check import (
    Rules,
    Violation,
    fits_a_line,
    lacks_about,
    require,
    says_source,
    undisturbed,
)
from disentangle.testing.examples import Kind, SyntheticCodes

ORDER = (2, 3, 0, 1)
"""An order of latents, to check that the order does not matter."""
CLOSE = 1e-3
SIZES, BINARY = (3, 4, 5), (2, 2, 2)
"""The sizes of the example's factors, and those for metrics of factors of two values."""


@dataclass(frozen=True)
class Subject:
    """A metric class, and its scores of known codes."""

    kind: type[Metric[Any]]
    name: str

    @cached_property
    def metric(self) -> Metric[Any]:
        """The metric with its defaults, used for all scores here."""
        return self.kind()

    @cached_property
    def factors(self) -> tuple[int, int, int]:
        """The sizes of the example's factors: two values each, if no other ones have a score."""
        for sizes in (SIZES, BINARY):
            with suppress(Unavailable):
                self.score(SyntheticCodes("oracle", factors=sizes))
                return sizes
        return SIZES

    def codes(self, kind: Kind, order: tuple[int, ...] = (0, 1, 2, 3)) -> SyntheticCodes:
        """Codes of the example, with its latents in an order."""
        return SyntheticCodes(kind, order, self.factors)

    @cached_property
    def seen(self) -> SyntheticCodes:
        """Codes of noise, of which one score is computed."""
        return self.codes("noise")

    def score(self, source: Source[Any]) -> Scores:
        """Compute the scores of a source."""
        return self.metric.score(source, numpy_rng(0, "metric"))

    @cached_property
    def oracle(self) -> Scores:
        """The scores of the oracle: codes that are the factors."""
        return self.score(self.codes("oracle"))

    @cached_property
    def noise(self) -> Scores:
        """The scores of codes of noise."""
        return self.score(self.seen)

    def or_reason(self, source: Source[Any], what: str) -> Scores | None:
        """Return the scores, or None if the metric raises Unavailable."""
        try:
            scores = self.score(source)
        except Unavailable:
            return None
        except Exception as error:
            raise Violation(
                f"{what}: {type(error).__name__}: {error}; if a score is undefined, raise "
                "Unavailable with the reason, and tables show n/a"
            ) from error
        numbers(scores, what)
        return scores


def subject(metric: str | type[Metric[Any]]) -> Subject:
    """Return the subject of a metric that is given by name or as a class."""
    kind = registry.metrics.load(metric) if isinstance(metric, str) else metric
    if not isinstance(SyntheticCodes("oracle").dataset, kind.needs):
        raise SkipTest(f"the metric needs a {kind.needs.__name__}, and there is no example of it")
    return Subject(kind, metric if isinstance(metric, str) else "")


def numbers(found: Scores, what: str) -> dict[str, float]:
    """Return the available scores, checked to be finite."""
    scores = {}
    for name, value in found.items():
        if isinstance(value, Unavailable | Detail):
            continue
        valid = isinstance(value, int | float | np.number) and math.isfinite(value)
        require(
            valid,
            f"score '{name}' of {what} is {value!r}: return a finite number, or an Unavailable "
            "with the reason",
        )
        scores[name] = float(value)
    return scores


def lacks_factors(s: Subject) -> str:
    """Return why a metric has no oracle; empty if it has one."""
    if s.kind.of_model:
        return "evaluates the model, so no codes are an oracle"
    return "" if issubclass(s.kind.needs, Labelled) else "uses no labels, so it has no oracle"


def unaudited(case: str) -> Callable[[Subject], str]:
    """A function that says why a metric is not audited in a case; empty if it is."""

    def excuse(s: Subject) -> str:
        if reason := s.kind.limitations.get(case, ""):
            return f"declares a limitation: {reason}"
        return lacks_factors(s)

    return excuse


def reads_the_order(s: Subject) -> str:
    """Return why a metric may depend on the order of latents; empty if it must not."""
    return "declares that the order of latents matters" if s.kind.ordered else ""


rules = Rules[Subject]()


@rules
def class_names_its_source(s: Subject) -> None:
    """The class states its equation, and its module cites the paper."""
    says_source(s.kind, "the class")


@rules.unless(lambda s: lacks_about(s.kind.about))
def about_is_a_line(s: Subject) -> None:
    """`about` describes the plugin in one short line."""
    fits_a_line(s.kind.about)


@rules
def knobs_say_what_they_are(s: Subject) -> None:
    """Every knob has help and a valid default."""
    knob_rules.say_what_they_are(s.kind)


@rules
def knobs_survive(s: Subject) -> None:
    """Command line, record, metric and scoring keep the value of every knob."""
    knob_rules.survive(s.kind)
    assert s.noise
    knob_rules.unchanged(s.metric)


@rules
def scores_are_finite_numbers(s: Subject) -> None:
    """The oracle and noise have finite scores, named after the metric."""
    for what, returned in (("an oracle", s.oracle), ("noise", s.noise)):
        scores = numbers(returned, what)
        require(bool(scores), f"{what} has no score: {dict(returned)}")
        if s.name:
            check_names(s.name, returned)
    named = {*s.kind.better, *s.kind.roles, *s.kind.counts, *s.kind.claims}
    unknown = named - set(s.oracle) - set(s.kind.displays)  # those of other hyper-parameters
    require(
        not unknown,
        f"better, roles, counts and claims name {sorted(unknown)}, but there is no such score; if "
        "other hyper-parameters give it, name it in `displays` too",
    )


@rules
def claims_are_properties(s: Subject) -> None:
    """`claims` names the properties that there are."""
    for name, claims in s.kind.claims.items():
        unknown = sorted({*claims} - {*PROPERTIES})
        require(
            not unknown and not isinstance(claims, str),
            f"claims['{name}'] is {claims!r}: expected a tuple of {', '.join(PROPERTIES)}",
        )


@rules
def limitations_are_of_cases(s: Subject) -> None:
    """`limitations` names cases of the audit, each with a reason."""
    for case, reason in s.kind.limitations.items():
        require(
            case in audits.DIFFERENT and bool(reason.strip()),
            f"limitations['{case}'] is {reason!r}: expected a reason, and one of the cases "
            f"{', '.join(map(repr, audits.DIFFERENT))}",
        )


@rules
def details_have_the_sizes_of_their_axes(s: Subject) -> None:
    """The details of a score have a number for each latent, each factor, or each pair."""
    sizes = {"latent": len(ORDER), "factor": 3}
    for name, detail in s.oracle.items():
        if isinstance(detail, Detail):
            shape = tuple(sizes[axis] for axis in detail.axes)
            require(
                detail.values.shape == shape,
                f"expected detail '{name}' along {detail.axes} to have shape {shape} for 4 latents "
                f"and 3 factors, got {detail.values.shape}",
            )


@rules
def generator_decides_alone(s: Subject) -> None:
    """The same codes and the same generator give the same scores."""
    first, second = numbers(s.noise, "noise"), numbers(s.score(s.codes("noise")), "noise")
    require(
        first == second,
        f"the same codes with the same rng score {first} and then {second}: draw only from rng, "
        "and pass scikit-learn random_state=int(rng.integers(2**31))",
    )


@rules
def nothing_is_printed_or_seeded(s: Subject) -> None:
    """The metric prints nothing and does not use global generators."""
    with undisturbed("score()", "draw from rng; for scikit-learn pass random_state="):
        s.score(s.codes("noise"))


@rules
def codes_are_left_as_they_were(s: Subject) -> None:
    """No array of codes or labels is changed in place."""
    assert s.noise
    require(
        all(np.array_equal(now, then) for now, then in s.seen.given),
        "score() changes codes or labels in place, which other metrics use too: work on a copy",
    )


@rules.unless(reads_the_order)
def order_of_latents_does_not_matter(s: Subject) -> None:
    """The scores do not change if the latents are permuted."""
    first = numbers(s.oracle, "an oracle")
    second = numbers(s.score(s.codes("oracle", ORDER)), "an oracle")
    for name, value in first.items():
        other = second.get(name, math.nan)
        require(
            abs(other - value) <= CLOSE * max(1, abs(value)),
            f"score '{name}' is {value:.4g}, and {other:.4g} with permuted latents: treat all "
            "latents alike, or declare `ordered = True` if the paper needs an order",
        )


@rules.unless(lacks_factors)
def oracle_scores_above_noise(s: Subject) -> None:
    """The oracle scores better than noise, in the declared direction."""
    oracle, noise = numbers(s.oracle, "an oracle"), numbers(s.noise, "noise")
    for name in oracle.keys() & noise.keys():
        better = s.kind.better.get(name, "more")
        if better != "neither":
            gain = (oracle[name] - noise[name]) * (1 if better == "more" else -1)
            require(
                gain > 0,
                f"score '{name}' is {oracle[name]:.4g} for the oracle and {noise[name]:.4g} for "
                f"noise, but '{better}' is better: fix it, or declare `better`, as in "
                f"MappingProxyType({{'{name}': 'less'}})",
            )


@rules.unless(lacks_factors)
def claimed_scores_are_between_0_and_1(s: Subject) -> None:
    """The scores of the oracle and of noise that claim a property are between 0 and 1."""
    for what, returned in (("an oracle", s.oracle), ("noise", s.noise)):
        for name, value in numbers(returned, what).items():
            require(
                not claims_of(s.kind, name) or -OUTSIDE <= value <= 1 + OUTSIDE,
                f"score '{name}' of {what} is {value:.4g}: expected 0 to 1, or claims that say "
                f"that it measures no property, as in MappingProxyType({{'{name}': ()}})",
            )


@rules.unless(unaudited("scaled"))
def units_of_latents_do_not_matter(s: Subject) -> None:
    """The scores do not change with the signs, scales and offsets of latents."""
    equally_good(s, "scaled", "standardise each latent")


@rules.unless(unaudited("beside constants"))
def constant_latents_do_not_matter(s: Subject) -> None:
    """The scores do not change with latents that never change."""
    equally_good(s, "beside constants", "leave out latents that do not vary")


@rules.unless(unaudited("sorted rows"))
def order_of_rows_does_not_matter(s: Subject) -> None:
    """The scores do not change with the order of rows."""
    equally_good(s, "sorted rows", "treat all rows alike")


@rules.unless(unaudited("repeated rows"))
def repeated_rows_are_not_knowledge(s: Subject) -> None:
    """The scores of noise do not change if each row is there several times."""
    equally_good(s, "repeated rows", "do not compare a row with its copy")


def equally_good(s: Subject, case: str, remedy: str) -> None:
    """Require that codes that differ in what means nothing have the same scores."""
    what, change = audits.DIFFERENT[case]
    source, other = audits.plain(case), audits.different(case)
    if not isinstance(other.dataset, s.kind.needs):
        raise SkipTest(f"the metric needs a {s.kind.needs.__name__}")
    scores, changed = s.or_reason(source, what), s.or_reason(other, change)
    if scores is None:
        raise SkipTest("the metric has no score of codes alone")
    then = numbers(changed or {}, change)
    for name, value in numbers(scores, what).items():
        if claims_of(s.kind, name):
            now = f"{then[name]:.3f}" if name in then else "n/a"
            require(
                name in then and abs(then[name] - value) <= REPORTED,
                f"score '{name}' of {what} is {value:.3f}, and {now} with {change} (case '{case}' "
                f"of `disentangle audit`): {remedy}, or declare why it is so, as in limitations = "
                f"MappingProxyType({{'{case}': 'reason'}})",
            )


def degenerate(s: Subject) -> Mapping[str, Source[Any]]:
    """Return degenerate sources, for which a score may be undefined, by their description."""
    cases: dict[str, Source[Any]] = {
        "one latent": SyntheticCodes("oracle", (0,)),
        "constant latents": SyntheticCodes("constant"),
        "one factor": SyntheticCodes("oracle", (0, 1), factors=(4,)),
    }
    if issubclass(Labelled, s.kind.needs) and not s.kind.of_model:
        z = numpy_rng(0, "degenerate").normal(size=(50, 2))
        cases["three images"] = array_source(z[:3], [[0, 1], [1, 0], [1, 1]])
        cases["no varying factor, v [N, 0]"] = array_source(z, np.zeros((50, 2), int))
    return cases


@rules
def undefined_scores_are_unavailable(s: Subject) -> None:
    """The scores of degenerate codes are finite, or Unavailable with a reason."""
    for what, source in degenerate(s).items():
        s.or_reason(source, what)


@rules
def missing_needs_are_unavailable(s: Subject) -> None:
    """The scores of codes without a model and posterior are finite, or Unavailable."""
    scores = s.or_reason(SyntheticCodes("oracle", whole=False), "codes without a model")
    require(
        not (s.kind.of_model and scores),
        "it declares of_model = True, but scores codes without a model: raise Unavailable, or "
        "declare of_model = False",
    )
