"""Figures over several runs, and the numbers in them."""

import shlex

import numpy as np
import pytest
from helpers.figure_checks import check_contrast, check_type
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import stats

from disentangle.cli.run_choice import choose_runs
from disentangle.errors import DisentangleError, UsageError
from disentangle.figures import picture, sweeps
from disentangle.figures.agreement import draw_agreement, draw_protocols, draw_variance
from disentangle.figures.sweeps import draw_rate_distortion, draw_sweep
from disentangle.score_tables.analysis import families, rank_agreement, ranks, variance_shares
from disentangle.score_tables.observations import Observation, data_name, observations_of

SAMPLE = {"representation": "sample"}
BOUND = {
    "elbo/kl": {"name": "elbo/kl", "metric": "elbo"},
    "elbo/reconstruction": {"name": "elbo/reconstruction", "metric": "elbo"},
}


@pytest.fixture
def runs(variant):
    rng = np.random.default_rng(0)
    made = []
    for beta in (1.0, 4.0, 16.0):
        for seed in range(5):
            mig = 0.2 + 0.1 * np.log2(beta) + 0.05 * rng.normal()
            values = [{"value": mig}, {"value": 0.5 - mig, **SAMPLE}]
            values += [{"value": 20 - beta, **BOUND["elbo/kl"]}]
            values += [{"value": 10 + beta, **BOUND["elbo/reconstruction"]}]
            made.append(variant(f"{beta}-{seed}", seed=seed, values=values, knobs={"beta": beta}))
    return made


@pytest.fixture
def observations(runs):
    return observations_of(runs)


def observed(y):
    """Return observations [method, setting, protocol, seed] of an array of such axes."""
    return [
        Observation(f"{m}-{h}-{s}", f"m{m}", f"m{m}-{h}", {}, s, ("mig", p), float(y[m, h, p, s]))
        for m, h, p, s in np.ndindex(y.shape)
    ]


@pytest.mark.parametrize(
    ("axis", "source"), list(enumerate(["method", "hyper-parameter", "protocol", "seed"]))
)
def test_variance_of_one_source_is_all_its(axis, source):
    y = np.zeros((3, 2, 2, 4))
    shape = [1] * 4
    shape[axis] = y.shape[axis]
    shares, count = variance_shares(observed(y + np.arange(y.shape[axis]).reshape(shape)))
    assert shares[source] == pytest.approx(1)
    assert count == 3 * 2 * 4


def test_shares_of_independent_sources_are_their_sums_of_squares():
    y = np.zeros((2, 2, 2, 2))
    parts = [3.0, 2.0, 1.0, 0.5]
    for axis, size in enumerate(parts):
        shape = [1] * 4
        shape[axis] = 2
        y = y + size * np.array([-1, 1]).reshape(shape)
    shares, _ = variance_shares(observed(y))
    squares = np.square(parts)
    assert list(shares.values()) == pytest.approx(squares / squares.sum())


@given(st.lists(st.floats(-5, 5, width=32), min_size=16, max_size=16))
def test_shares_sum_to_one(values):
    y = np.array(values).reshape(2, 2, 2, 2)
    if np.ptp(y) > 1e-3:
        assert sum(variance_shares(observed(y))[0].values()) == pytest.approx(1)


def test_runs_that_lack_a_protocol_are_left_out_of_the_variance():
    found = observed(np.random.default_rng(0).normal(size=(2, 1, 2, 3)))
    assert variance_shares(found[1:])[1] == 5


def test_variance_of_nothing_is_refused():
    with pytest.raises(DisentangleError, match="nothing varies"):
        variance_shares(observed(np.full((2, 1, 1, 3), 0.1)))
    with pytest.raises(DisentangleError, match="needs at least two runs"):
        variance_shares(observed(np.ones((1, 1, 1, 1))))


def test_agreement_is_scipys_and_turns_round_what_is_better_when_less(observations):
    columns = [observations.column("mig [mean]"), observations.column("elbo/reconstruction")]
    r, n = rank_agreement(observations, columns)
    pairs = [[o.value for o in observations.of(c)] for c in columns]
    assert r[0, 1] == pytest.approx(-stats.spearmanr(*pairs).statistic)
    assert r[1, 0] == r[0, 1]
    assert (n == 15).all()


def test_ranks_are_of_means_and_less_can_be_better():
    values = [np.array([[x, x + 0.01, x, x, x], [-x] * 5]) for x in (0.1, 0.8, 0.5)]
    first, second = ranks(values)
    assert first.rank.tolist() == [3, 1, 2]
    assert second.rank.tolist() == [1, 3, 2]
    assert ranks(values, less=True)[0].rank.tolist() == [1, 3, 2]
    assert first.low.tolist() == first.high.tolist() == [3, 1, 2]


def test_ranks_that_seeds_could_change_have_wide_intervals():
    values = [np.array([[0.0, 1.0, 0.2, 0.9, 0.5]]), np.array([[0.1, 0.8, 0.3, 1.0, 0.4]])]
    (found,) = ranks(values)
    assert (found.low.tolist(), found.high.tolist()) == ([1, 1], [2, 2])


def test_ranks_of_few_seeds_have_no_interval():
    (found,) = ranks([np.array([[0.1, 0.2]]), np.array([[0.3, 0.4]])])
    assert found.rank.tolist() == [2, 1]
    assert np.isnan(found.low).all()


def test_runs_at_a_default_are_part_of_a_sweep_and_other_settings_are_other_lines(
    variant, tmp_path, monkeypatch
):
    runs = [variant(f"l{n}", values=[{"value": 0.1}], knobs={"latents": n}) for n in (5, 10, 20)]
    runs += [variant("b", values=[{"value": 0.2}], knobs={"latents": 5, "beta": 9.0})]
    heads, lines = [], []
    monkeypatch.setattr(
        "disentangle.figures.sweeps.legend", lambda axes, names: lines.extend(names)
    )
    panel = sweeps.panel
    monkeypatch.setattr(
        "disentangle.figures.sweeps.panel",
        lambda observations, head, names, **options: (
            heads.append(head) or panel(observations, head, names, **options)
        ),
    )
    draw_sweep(observations_of(runs), "mig", "latents", tmp_path / "a.png")
    assert heads[0].startswith("mig against latents, 4 runs.")
    assert lines == ["beta-vae beta=2.0", "beta-vae beta=9.0"]


def test_distortions_of_two_likelihoods_are_not_drawn_together(variant, tmp_path):
    values = [{"value": 1.0, **BOUND[name]} for name in BOUND]
    runs = [variant(k, values=values, knobs={"likelihood": k}) for k in ("bernoulli", "gaussian")]
    with pytest.raises(UsageError, match="bernoulli and gaussian likelihoods"):
        draw_rate_distortion(observations_of(runs), tmp_path / "a.png")


def test_collapsed_configurations_are_not_ranked(runs, tmp_path):
    for run in runs[:5]:
        (run.path / "log.jsonl").write_text('{"step": 5, "active": 0, "kl": [0.0]}\n')
    observations = observations_of(runs)
    assert observations.collapsed == {runs[0].record.group}
    path = draw_protocols(observations, "mig", tmp_path / "ranks.png")
    with Image.open(path) as picture:
        caption = " ".join(picture.info["Description"].split())
    assert "Ranks of 2 configurations" in caption
    assert "Not ranked, as at most one latent is active: beta-vae beta=1.0." in caption
    for run in runs[5:10]:
        (run.path / "log.jsonl").write_text('{"step": 5, "active": 0, "kl": [0.0]}\n')
    with pytest.raises(UsageError, match=r"expected 2 to 12 .* got 1 besides 2 collapsed"):
        draw_protocols(observations_of(runs), "mig", path)


def test_versions_of_a_metric_are_no_protocols(variant):
    columns = observations_of(
        [
            variant(
                "a", values=[{"value": 0.1}, {"value": 0.2, "version": 2}, {"value": 0.3, **SAMPLE}]
            )
        ]
    ).columns()
    assert sorted(map(len, families(columns))) == [1, 2]


def test_other_factors_are_another_protocol_of_the_same_score(variant):
    kept = ("side", "x")
    fewer = {"factors": kept, "view": {"factors": kept}}
    observations = observations_of([variant("a", values=[{"value": 0.1}, {"value": 0.2, **fewer}])])
    assert list(map(len, families(observations.columns()))) == [2]
    assert sorted(observations.headings.values()) == ["mig [all factors]", "mig [without y]"]


def test_configurations_are_named_by_what_tells_them_apart(observations):
    assert sorted(observations.names().values()) == [
        "beta-vae beta=1.0",
        "beta-vae beta=16.0",
        "beta-vae beta=4.0",
    ]


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
@pytest.mark.parametrize(
    "draw",
    [
        lambda observations, path: draw_sweep(observations, "mig [mean]", "beta", path),
        draw_rate_distortion,
        lambda observations, path: draw_protocols(observations, "mig", path),
        lambda observations, path: draw_variance(observations, None, path),
        lambda observations, path: draw_agreement(observations, None, path),
    ],
    ids=["sweep", "rate-distortion", "protocols", "variance", "agreement"],
)
def test_figure_is_drawn_and_says_where_it_came_from(observations, tmp_path, draw, suffix):
    path = draw(observations, tmp_path / f"figure{suffix}")
    if suffix == ".png":
        with Image.open(path) as picture:
            assert picture.width > 700
            assert picture.info["Source"] == observations.about
    else:
        assert path.read_bytes()[:5] in (b"%PDF-", b"<?xml")


def test_what_cannot_be_drawn_says_why(observations, variant, tmp_path):
    path = tmp_path / "figure.png"
    for draw, said in (
        (
            lambda: draw_sweep(observations, "mig", "beta", path),
            "'mig' matches several scores; use one of",
        ),
        (lambda: draw_sweep(observations, "mgi", "beta", path), "did you mean 'mig'"),
        (lambda: draw_sweep(observations, "mig [mean]", "bet", path), "did you mean 'beta'"),
        (lambda: draw_sweep(observations, "mig [mean]", "network", path), "is not numeric: conv"),
        (lambda: draw_agreement(observations, ["elbo/kl"], path), "needs at least two scores"),
        (lambda: draw_variance(observations, ["elbo/total"], path), "no run has the score"),
        (lambda: draw_sweep(observations, "mig [mean]", "beta", tmp_path / "f.txt"), "ends with"),
        (
            lambda: observations_of([*map(variant, "ab"), variant("c", fingerprint="f" * 64)]),
            "shows one dataset",
        ),
    ):
        with pytest.raises(UsageError, match=said):
            draw()
    with pytest.raises(DisentangleError, match="was computed under one protocol only"):
        draw_protocols(observations, "elbo/kl", path)
    with pytest.raises(DisentangleError, match="score --metric elbo"):
        draw_rate_distortion(observations_of([variant("d", values=[{"value": 0.5}])]), path)
    with pytest.raises(DisentangleError, match="no finished run"):
        observations_of([])


def test_figures_of_runs_by_command(runs, command):
    results = runs[0].path.parent
    for kind, name in (
        (["effect", "--score", "elbo/kl", "--of", "beta"], "effect-elbo-kl-beta"),
        (["effect", "--score", "mig [mean]", "--of", "beta"], "effect-mig-mean-beta"),
        (["rate-distortion"], "rate-distortion"),
        (["protocols", "--score", "mig"], "protocols-mig"),
        (["variance", "--score", "mig"], "variance-mig"),
        (["agreement", "--where", "beta>0"], "agreement"),
    ):
        code, out, err = command("figure", *kind, "--results", results)
        assert code == 0, err
        assert out.strip() == str(results / "figures" / f"{name}.png")
    for words, said in (
        (["effect"], "--score NAME is missing; the runs have: elbo/kl, elbo/reconstruction, mig"),
        (["effect", "--score", "elbo/kl"], "--of NAME is missing; the runs have: beta"),
        (["protocols"], "--score NAME is missing; the runs have: mig"),
        (["agreement", "--score", "mig,elbo/kl"], "option: --score mig --score elbo/kl"),
    ):
        code, _, err = command("figure", *words, "--results", results)
        assert (code, said in err) == (2, True), err


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ([1, 2, 4, 8, 16], True),
        ([1, 4, 16], True),
        ([5, 10, 20], True),
        ([0.001, 0.01, 0.1], True),
        ([1, 100], True),
        ([1, 2, 3, 4], False),
        ([5, 10, 15, 20], False),
        ([1, 4], False),
        ([0, 1, 2, 4, 8], False),
        ([4, 4, 4], False),
    ],
)
def test_axis_is_logarithmic_where_values_are_powers(values, log):
    assert sweeps.is_geometric(values) == log


def test_sweep_over_one_value_says_so(observations, tmp_path):
    with pytest.raises(
        DisentangleError, match=r"at least two values of 'latents' in .*, got only 10"
    ):
        draw_sweep(observations, "mig [mean]", "latents", tmp_path / "a.png")


def test_lines_and_texts_of_a_sweep_have_contrast(observations, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(picture, "save_figure", lambda figure, path, **about: drawn.append(figure))
    draw_sweep(observations, "mig [mean]", "beta", tmp_path / "a.png")
    draw_rate_distortion(observations, tmp_path / "a.png")
    draw_protocols(observations, "mig", tmp_path / "a.png")
    for figure in drawn:
        check_contrast(figure)
    assert drawn[0].axes[0].get_xscale() == "log"


def test_label_beside_long_numbers_is_inside_the_figure(variant, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(picture, "save_figure", lambda figure, path, **about: drawn.append(figure))
    runs = [
        variant(f"{beta}", values=[{"value": 12.75 + beta / 1_000}], knobs={"beta": float(beta)})
        for beta in (1, 2, 3)
    ]
    draw_sweep(observations_of(runs), "mig", "beta", tmp_path / "a.png")
    (axes,) = drawn[0].axes
    box = axes.get_tightbbox()
    assert max(len(label.get_text()) for label in axes.get_yticklabels()) >= len("12.7515")
    assert box.x0 >= 0
    assert box.x1 <= drawn[0].bbox.width


def test_figure_says_in_its_metadata_what_is_seen(observations, tmp_path):
    path = draw_sweep(observations, "mig [mean]", "beta", tmp_path / "a.png", caption=False)
    with Image.open(path) as picture:
        assert picture.text["Title"] == "mig [mean] over beta, tiny"
        assert picture.text["Description"].startswith("mig [mean] against beta, 15 runs.")


def test_rate_of_several_is_chosen_and_its_distortion_goes_with_it(variant, tmp_path):
    values = [{"value": 1.0, **BOUND[name]} for name in BOUND]
    values += [{**each, "knobs": {"samples": 9}} for each in values]
    observations = observations_of([variant("a", values=values)])
    with pytest.raises(
        UsageError, match=r"several rates; choose one with `--score`:\n  'elbo/kl \["
    ):
        draw_rate_distortion(observations, tmp_path / "a.png")
    rate, distortion = sweeps.rate_and_distortion(observations, "elbo/kl [samples=9]")
    assert rate.knobs == distortion.knobs == (("samples", 9),)


@pytest.mark.parametrize("number", [3, 30])
def test_heads_of_an_agreement_are_inside_the_figure(variant, tmp_path, monkeypatch, number):
    drawn = []
    monkeypatch.setattr(picture, "save_figure", lambda figure, path, **about: drawn.append(figure))
    rng = np.random.default_rng(0)
    runs = [
        variant(f"{i}", seed=i, values=[{"value": rng.random(), "seed": s} for s in range(number)])
        for i in range(4)
    ]
    draw_agreement(observations_of(runs), None, tmp_path / "a.png")
    check_type(drawn[0], slanted=number)


def test_runs_on_several_parts_are_told_apart_by_conditions_to_copy(variant, command):
    whole = variant("a", values=[{"value": 0.1}])
    part = variant("b", values=[{"value": 0.2}], view={"hold_out": ("side=0",)})
    results = whole.path.parent
    words = ("figure", "agreement", "--results", results)
    code, _, err = command(*words)
    assert code == 2
    choices = [line.strip() for line in err.splitlines() if line.strip().startswith("--where")]
    assert choices == [
        "--where 'part=all images'  (1 run)",
        "--where 'part=held out side=0'  (1 run)",
    ]
    for run, line in zip((whole, part), choices, strict=True):
        where = shlex.split(line.partition("  ")[0])
        chosen, _ = choose_runs(None, results, where=where[1::2])
        assert [each.path for each in chosen] == [run.path]
    assert choose_runs(None, results, where=["part=all"])[0][0].path == whole.path
    names = [data_name([run], [whole, part]) for run in (whole, part)]
    assert names == ["tiny all images", "tiny held out side=0"]
    assert data_name([whole], [whole]) == ""
    code, _, err = command(*words, "--where", "part=none")
    assert (code, "no run matches --where part=none" in err) == (1, True)


def test_figure_of_a_study_is_drawn_in_its_folder(runs, command, tmp_path):
    study = tmp_path / "results" / "mine"
    study.parent.mkdir()
    runs[0].path.parent.rename(study)
    code, out, err = command("figure", "variance", "--study", "mine", "--score", "mig")
    assert code == 0, err
    assert out.strip() == "results/mine/figures/variance-mig.png"
    code, _, err = command("figure", "variance", "--study", "yours")
    assert code == 2
    assert "--study yours: no such folder in results; the studies there are mine" in err
    code, _, err = command("figure", "variance", "--study", "mine", study)
    assert (code, "give only one of --study and RUN" in err) == (2, True)


def test_agreement_counts_external_encoders_as_runs(runs, external):
    values = [{"value": 0.9}, {"value": 0.8, **SAMPLE}]
    every = observations_of(runs, [external("mine", values=values)])
    columns = [every.column("mig [mean]"), every.column("mig [sample]")]
    r, n = rank_agreement(every, columns)
    pairs = [[*(o.value for o in every.of(columns[i])), values[i]["value"]] for i in (0, 1)]
    assert r[0, 1] == pytest.approx(stats.spearmanr(*pairs).statistic)
    assert (n == 16).all()
    assert every.about_all.startswith("15 runs and 1 external encoder on tiny")


def test_scores_that_no_run_has_are_in_no_figure(runs, external):
    other = external("mine", values=[{"value": 0.9, "name": "other"}])
    elsewhere = external("far", values=[{"value": 0.9}], fingerprint="f" * 64)
    assert observations_of(runs, [other, elsewhere]).external == ()


def test_external_encoders_are_level_lines_beside_a_sweep(runs, external, tmp_path, monkeypatch):
    mine = [external("mine", seed=i, values=[{"value": v}]) for i, v in enumerate((0.7, 0.9))]
    drawn = []
    monkeypatch.setattr(sweeps, "legend", lambda axes, names: drawn.append((axes, names)))
    every = observations_of(runs, mine)
    path = draw_sweep(every, "mig [mean]", "beta", tmp_path / "sweep.png")
    with Image.open(path) as picture:
        assert picture.info["Source"] == every.about_all
    ((axes, names),) = drawn
    assert names[-1] == "mine (external)"
    (level,) = [line for line in axes.lines if line.get_label() == "mine (external)"]
    assert level.get_ydata() == pytest.approx([0.8, 0.8])


def test_external_encoders_are_neither_ranked_nor_a_source_of_variance(runs, external):
    mine = external("mine", values=[{"value": 0.9}, {"value": 0.1, **SAMPLE}])
    every, alone = observations_of(runs, [mine]), observations_of(runs)
    assert every.names() == alone.names()
    assert list(every) == list(alone)
