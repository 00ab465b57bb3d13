"""Two runs side by side."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from disentangle.figures.aligned import match
from disentangle.score_tables.cells import compared
from disentangle.score_tables.comparison import apart, compare, side_by_side
from disentangle.training.train import train


@pytest.fixture
def codes():
    return np.random.default_rng(0).normal(size=(500, 4))


def test_latents_are_matched_whatever_their_order_sign_and_scale(codes):
    other = -3 * codes[:, [2, 0, 3, 1]] + 1
    pairs = match(codes, other)
    assert {(pair.a, pair.b) for pair in pairs} == {(2, 0), (0, 1), (3, 2), (1, 3)}
    assert [pair.correlation for pair in pairs] == pytest.approx([-1] * 4)


def test_most_alike_come_first_and_inactive_ones_are_like_none(codes):
    rng = np.random.default_rng(1)
    other = codes + rng.normal(size=codes.shape) * [0.1, 1, 0, 0]
    codes[:, 3] *= 1e-3
    other[:, [2, 3]] *= 1e-3
    pairs = match(codes, other)
    assert [(pair.a, pair.b) for pair in pairs[:2]] == [(0, 0), (1, 1)]
    assert [pair.correlation for pair in pairs[2:]] == [0]
    assert pairs[2].a == 2  # active in the first alone


def test_models_of_different_size_share_what_they_can(codes):
    assert len(match(codes, codes[:, :2])) == 2


def test_settings_that_differ_are_marked(variant):
    a, b = variant("a"), variant("b", knobs={"beta": 9.0}, seed=3)
    differing = {s.name: (s.a, s.b) for s in side_by_side(a, b) if s.differs}
    assert differing == {"beta": ("2.0", "9.0"), "seed": ("0", "3")}


@pytest.fixture
def of_other_machines(variant):
    """The paths of two runs whose beta, its derived form, device and a package differ."""
    a = variant("a", record={"normalised": {"beta_norm": 0.004}, "packages": {"torch": "2.1"}})
    record = {"normalised": {"beta_norm": 0.01}, "packages": {"torch": "2.2"}, "device": "mps"}
    return [a.path, variant("b", knobs={"beta": 9.0}, record=record).path]


def test_only_what_was_set_is_shown_and_the_rest_is_named(command, of_other_machines):
    out = command("compare", *of_other_machines)[1]
    head, rest = out.split("Settings that differ between the two runs\n")
    assert head.split() == ["A", str(of_other_machines[0]), "B", str(of_other_machines[1])]
    assert rest.splitlines()[1] == "beta  2.0  9.0"
    assert "Not set, but different (`--all` shows them): device, torch\n" in rest
    assert "beta_norm" not in out


def test_derived_settings_are_marked_as_such_among_all(command, of_other_machines):
    out = command("compare", *of_other_machines, "--all")[1]
    assert "* beta_norm (derived)  0.004" in out
    assert "* torch" in out
    assert "Not set" not in out


@pytest.mark.parametrize(
    ("values", "whole", "texts"),
    [
        ((4.3, 9.3, 5.0), True, ("4.3", "9.3", "5.0")),
        ((4.0, 9.0, 5.0), True, ("4", "9", "5")),
        ((4.0, None, None), True, ("4", "n/a", "n/a")),
        ((0.1, 0.25, 0.15), False, ("0.100", "0.250", "0.150")),
        ((2541.26, 12.3456, -2528.9144), False, ("2541.26", "12.35", "-2528.91")),
        ((12.3456, 2541.26, 2528.9144), False, ("12.35", "2541.26", "2528.91")),
        ((2e6, 3.0, -2e6), False, ("2.000e+06", "3.000e+00", "-2.000e+06")),
        ((None, None, None), False, ("n/a", "n/a", "n/a")),
    ],
)
def test_numbers_that_are_compared_have_the_same_decimals(values, whole, texts):
    assert compared(*values, counts=whole) == texts


def test_scores_are_tested_over_seeds_that_both_were_trained_with(variant):
    for seed in range(6):
        variant(f"a{seed}", seed=seed, values=[{"value": 0.1 + seed / 100}])
    low = [variant(f"x{seed}", seed=seed + 9, values=[{"value": 0.9}]) for seed in range(3)]
    high = [
        variant(f"b{seed}", seed=seed, values=[{"value": 0.3 + seed / 50}], knobs={"beta": 9.0})
        for seed in range(6)
    ]
    (found,) = compare(low[0], high[0]).scores
    assert (found.name, found.a, found.b, found.seeds) == ("mig", 0.9, 0.3, 6)
    assert found.mean == pytest.approx(0.2 + np.mean(range(6)) / 100)
    assert found.p == pytest.approx(2 / 2**6)


def not_a_number(run):
    """Make the score of a run NaN, as no version writes it."""
    file = run.path / "scores.json"
    scores = json.loads(file.read_text())
    scores["scores"][0]["value"] = math.nan
    file.write_text(json.dumps(scores))
    return run


def test_score_that_is_not_finite_is_no_pair(variant):
    a = [variant(f"a{seed}", seed=seed, values=[{"value": 0.1}]) for seed in range(4)]
    b = [
        variant(f"b{seed}", seed=seed, values=[{"value": 0.3}], knobs={"beta": 9.0})
        for seed in range(4)
    ]
    not_a_number(b[2])
    (difference,) = compare(a[0], b[0]).scores
    assert (difference.seeds, difference.mean) == (3, pytest.approx(0.2))
    assert difference.p == pytest.approx(2 / 2**3)
    (single,) = compare(a[2], b[2]).scores
    assert (single.a, single.b) == (0.1, None)


def test_seeds_of_one_configuration_are_no_test(variant):
    runs = [variant(f"a{s}", seed=s, values=[{"value": s / 10}]) for s in range(3)]
    (found,) = compare(*runs[:2]).scores
    assert (found.a, found.b, found.seeds, found.p) == (0.0, 0.1, 0, None)


def test_other_protocols_are_other_lines(variant):
    a = variant("a", values=[{"value": 0.1}])
    b = variant("b", values=[{"value": 0.2, "protocol": "disjoint"}], knobs={"beta": 9.0})
    found = {d.name: (d.a, d.b) for d in compare(a, b).scores}
    assert found == {"mig [locatello2019]": (0.1, None), "mig [disjoint]": (None, 0.2)}


@pytest.fixture
def two_betas(variant):
    """The paths of two runs that differ in beta."""
    return [variant(f"beta-{beta}", knobs={"beta": beta}).path for beta in (1.0, 2.0)]


def test_compare_prints_what_differs(command, two_betas):
    code, out, err = command("compare", *two_betas)
    assert code == 0, err
    assert "beta  1.0  2.0" in out
    paths = " ".join(map(str, two_betas))
    assert f"Run `disentangle score {paths}`." in out
    assert "common seeds" not in out


@pytest.fixture
def configurations(variant):
    """A function that makes runs of two betas, with scores of these values by seed."""

    def make(low, high, first=0):
        for beta, values, start in ((1.0, low, 0), (9.0, high, first)):
            for seed, value in enumerate(values, start):
                variant(
                    f"{beta}-{seed}", seed=seed, values=[{"value": value}], knobs={"beta": beta}
                )
        folder = variant("other", record={"model": "vae"}).path.parent
        return folder / "1.0-0", folder / f"9.0-{first}"

    return make


def line_of(out, score="mig"):
    return next(line.split() for line in out.splitlines() if line.startswith(f"{score} "))


def test_means_and_difference_are_over_the_same_seeds(command, configurations):
    out = command("compare", *configurations((0.1, 0.5, 0.6), (0.2, 0.3, 0.4)))[1]
    assert line_of(out) == ["mig", "0.400", "0.300", "-0.100", "3"]
    assert "Scores of the two configurations: means over the common seeds\n" in out
    text = "With 3 common seeds, p cannot be below 0.25, so no difference can be significant."
    assert text in out
    assert "1.000" not in out


def test_p_is_shown_where_a_difference_can_be_significant(command, configurations):
    low = [0.1 + seed / 100 for seed in range(8)]
    out = command("compare", *configurations(low, [value + 0.2 for value in low]))[1]
    assert line_of(out) == ["mig", "0.135", "0.335", "0.200", "8", "0.008"]
    assert "the smallest possible p is 0.0078" in out


def test_seeds_that_do_not_pair_are_explained(command, configurations):
    out = command("compare", *configurations((0.1, 0.2), (0.5, 0.6), first=2))[1]
    assert "no seed is common to both configurations (A: 0, 1; B: 2, 3)" in out
    assert line_of(out) == ["mig", "0.100", "0.500", "0.400"]
    assert "Scores of the two runs\n" in out
    assert "configurations:" not in out


def test_one_common_seed_is_no_test(command, configurations):
    out = command("compare", *configurations((0.1, 0.2), (0.5, 0.6), first=1))[1]
    assert "the scores of seed 1, the only seed that is common to both configurations" in out


def test_counts_are_compared_as_counts(command, variant):
    units = {"name": "elbo/active-units", "metric": "elbo"}
    for beta, values in ((1.0, (10.0, 10.0)), (9.0, (4.0, 5.0))):
        for seed, value in enumerate(values):
            scores = [{**units, "value": value}]
            variant(f"{beta}-{seed}", seed=seed, values=scores, knobs={"beta": beta})
    folder = variant("other").path.parent
    out = command("compare", folder / "1.0-0", folder / "9.0-0")[1]
    assert line_of(out, "elbo/active-units") == ["elbo/active-units", "10.0", "4.5", "-5.5", "2"]


def test_scores_without_a_common_seed_are_apart_from_the_means(command, variant):
    for beta in (1.0, 9.0):
        for seed in range(2):
            sap = [{"name": "sap", "metric": "sap", "value": 0.25}] * (beta > 1 and seed == 0)
            scores = [{"value": beta / 10 + seed / 50}, *sap]
            variant(f"{beta}-{seed}", seed=seed, values=scores, knobs={"beta": beta})
    folder = variant("other").path.parent
    out = command("compare", folder / "1.0-0", folder / "9.0-0")[1]
    means, single = out.split("Scores of the two runs, without a common seed\n")
    assert line_of(means) == ["mig", "0.110", "0.910", "0.800", "2"]
    assert line_of(single, "sap") == ["sap", "n/a", "0.250", "n/a"]


def test_run_without_scores_is_named(command, variant):
    a, b = variant("a", values=[{"value": 0.5}]), variant("b", knobs={"beta": 9.0})
    out = command("compare", a.path, b.path)[1]
    assert f"No scores yet: {b.path}. Run `disentangle score {b.path}`." in out
    assert line_of(out) == ["mig", "0.500", "n/a", "n/a"]


def test_compare_draws_both_runs_in_one_picture(command, strangers, tmp_path, monkeypatch):
    monkeypatch.setattr("disentangle.figures.aligned.ACTIVE", 0.0)
    options = {"steps": 20, "batch_size": 8, "figures": False, "device": "cpu", "lr": 1e-3}
    runs = [train("beta-vae", "tiny", beta=beta, results=tmp_path, **options) for beta in (1, 2)]
    code, out, err = command("compare", *(run.path for run in runs))
    assert code == 0, err
    with Image.open(out.splitlines()[-1]) as picture:
        assert picture.width > picture.height > 100


def test_compare_of_all_settings_marks_those_that_differ(command, two_betas):
    assert "* beta" in command("compare", *two_betas, "--all")[1]


def test_compare_as_json_has_both_values(command, two_betas):
    found = json.loads(command("compare", *two_betas, "--json")[1])
    assert found["settings"]["beta"] == {"a": "1.0", "b": "2.0", "differs": True}


def test_runs_on_other_images_are_not_aligned(command, variant, tmp_path):
    a = variant("a", values=[{"value": 0.1}])
    b = variant("b", values=[{"value": 0.2}], fingerprint="f" * 64)
    code, out, err = command("compare", a.path, b.path)
    assert code == 0, err
    assert "fingerprint" in out
    assert "No figure: cannot align the traversals" in out
    assert "A and B were trained on different images" in out


def test_unreadable_sibling_and_same_configuration_are_no_matter(command, variant):
    a, b = (variant(f"a{s}", seed=s, values=[{"value": s / 10}]) for s in range(2))
    broken = variant("c", seed=3).path / "run.json"
    broken.write_text("{")
    code, out, err = command("compare", a.path, b.path)
    assert code == 0, err
    assert "A and B have the same configuration" in out


def test_run_is_not_compared_with_itself(command, run):
    code, _, err = command("compare", run.path, run.path)
    assert code == 2
    assert "give two different runs" in err


def test_run_and_encoder_are_compared_by_means_over_the_seeds_of_each(variant, external):
    runs = [variant(f"a{i}", seed=i, values=[{"value": v}]) for i, v in enumerate((0.1, 0.3))]
    mine = [external("mine", seed=i, values=[{"value": v}]) for i, v in enumerate((0.5, 0.9))]
    external("other", values=[{"value": 0.0}])
    found = compare(runs[0], mine[1])
    (score,) = found.scores
    assert score.shown == pytest.approx((0.2, 0.7, 0.5))
    assert score.p is None
    assert "(A: 2; B: 2). Not tested: an external encoder was not trained here." in found.verdict


def test_a_mean_over_fewer_seeds_than_there_are_is_said(variant, external):
    run = variant("a0", seed=0, values=[{"value": 0.1}])
    variant("a1", seed=1, values=[])
    verdict = compare(run, external("mine", values=[{"value": 0.5}])).verdict
    assert "(A: 2; B: 1). Of fewer seeds: mig (A: 1 of 2). Not tested" in verdict


def test_comparison_says_what_an_encoder_is(variant, external):
    codes = external("mine", kind="codes")
    said = {setting.name: setting.b for setting in side_by_side(variant("a"), codes)}
    assert said["model"] == "mine (external)"
    assert said["reference"] == "mine.py:encode"
    assert said["takes"] == "codes given, images not checked"
    assert said["beta"] == said["seed"] == "-"


def test_run_and_encoder_are_shown_by_what_they_share_and_what_each_is(variant, external):
    run = variant("a", knobs={"beta": 9.0}, seed=3)
    mine = external("mine")
    shown = apart(run, mine)
    assert shown.both == {"dataset": "tiny", "fingerprint": run.record.dataset.fingerprint[:10]}
    assert shown.a["model"] == "beta-vae (version 1)"
    assert (shown.a["beta"], shown.a["seed"]) == ("9.0", "3")
    assert shown.b["model"] == "mine (external)"
    assert shown.b["reference"] == "mine.py:encode"
    values = {*shown.both.values(), *shown.a.values(), *shown.b.values()}
    assert not {"-", "none", "no", "all images", run.record.packages["torch"]} & values
    every = apart(run, mine, every=True)
    assert every.a["preset"] == "none"
    assert "torch" in every.a
    assert every.a.keys() >= run.record.knobs.keys() - {"latents"}


def test_encoders_of_one_seed_share_it(external):
    first, second = external("mine", seed=1), external("other", seed=1)
    shown = apart(first, second)
    assert shown.both["seed"] == "1"
    assert "seed" not in apart(external("third"), first).a


def test_compare_with_an_encoder_lists_no_setting_that_it_cannot_have(command, variant, external):
    run, mine = variant("a", knobs={"beta": 9.0}), external("mine")
    out = command("compare", run.path, mine.path)[1]
    head = out.partition("Settings at their defaults")[0]
    assert "-" not in head.split()
    lines = head.splitlines()
    assert lines[3] == "A and B"
    assert ["beta", "9.0"] in [line.split() for line in lines]
    both, own = lines.index("A and B"), lines.index("B")
    assert [line.split()[0] for line in lines[own + 1 : own + 3]] == ["model", "latents"]
    assert lines[both + 1].split() == ["dataset", "tiny"]
    assert "preset" in command("compare", run.path, mine.path, "--all")[1]


def test_compare_of_a_run_and_an_encoder_draws_no_figure(command, variant, external):
    run = variant("a", values=[{"value": 0.125}])
    mine = external("mine", values=[{"value": 0.5}])
    code, out, err = command("compare", run.path, mine.path)
    assert code == 0, err
    assert ["mig", "0.125", "0.500", "0.375"] in [line.split() for line in out.splitlines()]
    assert "No figure: an external encoder has no decoder" in out
