"""Which configuration a table shows, and that it says how it was chosen."""

import shutil

import filelock
import pytest
from conftest import registered

from disentangle.errors import UsageError
from disentangle.runs.filters import where
from disentangle.runs.named import load_run
from disentangle.runs.overview import STATES
from disentangle.score_tables.build import make_tables
from disentangle.score_tables.selection import select
from disentangle.training.train import train


@pytest.fixture
def sweep(variant):
    """Two settings of one model: the second is better by MIG in the mean, the first at best."""
    values = {1.0: (0.9, 0.0, 0.0), 9.0: (0.5, 0.5, 0.5)}
    return [
        variant(f"{beta}-{seed}", seed=seed, values=[{"value": value}], knobs={"beta": beta})
        for beta, scores in values.items()
        for seed, value in enumerate(scores)
    ]


@pytest.fixture(scope="module")
def trained_runs(strangers_folder, tmp_path_factory):
    """Two settings of one model, two seeds each, really trained; not to be changed."""
    options = {"steps": 20, "batch_size": 8, "figures": False, "device": "cpu", "lr": 1e-3}
    results = tmp_path_factory.mktemp("few")
    with registered(strangers_folder):
        return [
            train("beta-vae", "tiny", beta=beta, seed=seed, results=results, **options)
            for beta in (0.5, 1.5)
            for seed in (0, 1)
        ]


@pytest.fixture
def few(trained_runs, strangers, tmp_path):
    """Copies of those runs."""
    return [load_run(shutil.copytree(run.path, tmp_path / run.path.name)) for run in trained_runs]


def shown(runs, rule):
    (table,) = make_tables(runs, selection=select(runs, rule))
    return {(row.settings["beta"], row.chosen, row.grey) for row in table.rows}


def test_every_configuration_is_shown_unless_chosen(sweep):
    assert shown(sweep, "all") == {(1.0, "by hand", False), (9.0, "by hand", False)}


def test_oracle_takes_the_best_mean_and_not_the_best_seed(sweep):
    assert shown(sweep, "oracle:mig") == {(9.0, "oracle (mig) 0.500, best of 2", True)}
    (table,) = make_tables(sweep, selection=select(sweep, "oracle:mig"))
    assert "Grey: settings chosen by the displayed score" in table.caption
    assert "| *0.500 ± 0.000* |" in table.markdown()


def test_choice_by_labels_says_how_many_and_is_not_grey(few):
    ((_, chosen, grey),) = shown(few, "labels:20:mig")
    assert chosen.startswith("20 labels (mig) ")
    assert chosen.endswith(", best of 2")
    assert not grey


def test_choice_by_udr_says_so(few):
    ((_, chosen, grey),) = shown(few, "udr")
    assert chosen.startswith("UDR ")
    assert not grey


def test_choice_by_labels_leaves_no_scores_behind(few):
    select(few, "labels:20:mig")
    assert not any((run.path / "scores.json").exists() for run in few)


def test_default_keeps_what_nobody_changed(sweep, run):
    settings = {
        name: setting.model_copy(update={"value": setting.default, "origin": "default"})
        for name, setting in run.record.settings.items()
    }
    training = {
        name: setting.model_copy(update={"value": setting.default, "origin": "default"})
        for name, setting in run.record.training.items()
    }
    run.save_record(settings=settings, training=training)
    (table,) = make_tables([*sweep, run], selection=select([*sweep, run], "default"))
    assert [row.chosen for row in table.rows] == ["default"]


def test_preset_is_told_and_so_is_what_was_changed(variant):
    runs = [variant("a", record={"preset": "higgins2017"})]
    (table,) = make_tables(runs)
    assert table.rows[0].chosen == "preset higgins2017, changed"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("best", "the rules are all, default, udr"),
        ("labels:some:mig", "N is the number of labelled images"),
        ("labels:20", "write labels:N:METRIC"),
        ("labels:20:dci", "'dci' has no hyper-parameter 'samples'"),
        ("oracle:sap", "no run has the score 'sap'"),
        ("default", "no run has default or preset settings"),
    ],
)
def test_rule_that_cannot_choose_is_refused(sweep, rule, said):
    with pytest.raises(UsageError, match=said):
        select(sweep, rule)


@pytest.mark.parametrize(
    ("condition", "betas"),
    [
        ("beta>=4", {9.0}),
        ("beta < 4", {1.0}),
        ("beta=1", {1.0}),
        ("beta!=1", {9.0}),
        ("model=beta-vae", {1.0, 9.0}),
        ("model!=beta-vae", set()),
        ("seed<=1", {1.0, 9.0}),
    ],
)
def test_runs_are_filtered_by_what_they_are(sweep, condition, betas):
    assert {run.record.knobs["beta"] for run in where(sweep, [condition])} == betas


def test_conditions_hold_together(sweep):
    assert len(where(sweep, ["beta>4", "seed=2"])) == 1


def test_runs_are_filtered_by_the_states_that_the_list_of_runs_prints(variant):
    runs = [variant(name, finished=name in ("done", "flat")) for name in ("done", "flat", "part")]
    (runs[1].path / "log.jsonl").write_text('{"step": 5, "active": 0, "kl": [0.0]}\n')
    runs.append(variant("bad", finished=False, record={"failed": "nan"}))
    runs.append(variant("busy", finished=False))

    def names(condition):
        return [run.path.name for run in where(runs, [condition])]

    with filelock.FileLock(runs[-1].path / ".lock"):
        by_state = {state: names(f"state={state}") for state in STATES}
        assert names("state=unfinished") == ["part", "busy"]
        assert names("State!=Stopped") == ["done", "flat", "bad", "busy"]
    assert by_state == {
        "finished": ["done", "flat"],
        "collapsed": ["flat"],
        "training": ["busy"],
        "stopped": ["part"],
        "failed": ["bad"],
    }


def test_comma_in_the_part_of_a_dataset_is_no_further_condition(sweep):
    assert where(sweep, ["part!=split train, held out shape=heart,scale=0.5"]) == list(sweep)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("beta", "expected a condition"),
        ("bta>1", "did you mean 'beta'"),
        ("beta>many", "'many' is not a number"),
        ("model>vae", "text has no order"),
        ("state>failed", "states have no order"),
        ("state=done", "no state 'done'; expected one of finished, collapsed, training, stopped"),
        ("beta=1, seed=2", "give one value per option: --where beta=1 --where seed=2"),
    ],
)
def test_condition_that_makes_no_sense_is_refused(sweep, condition, said):
    with pytest.raises(UsageError, match=said):
        where(sweep, [condition])


def test_each_dataset_has_a_choice_of_its_own(variant):
    runs = [
        variant(f"{mark}{beta}", values=[{"value": value}], knobs={"beta": beta}, fingerprint=mark)
        for mark, scores in (("a" * 64, (0.9, 0.1)), ("b" * 64, (0.2, 0.8)))
        for beta, value in zip((1.0, 9.0), scores, strict=True)
    ]
    tables = make_tables(runs, selection=select(runs, "oracle:mig"))
    assert [[(r.settings["beta"], r.chosen) for r in table.rows] for table in tables] == [
        [(1.0, "oracle (mig) 0.900, best of 2")],
        [(9.0, "oracle (mig) 0.800, best of 2")],
    ]


def test_oracle_compares_one_meaning_of_complete_sets(variant):
    runs = [
        variant("a0", seed=0, values=[{"value": 0.5}], knobs={"beta": 1.0}),
        variant("a1", seed=1, values=[{"value": 0.5}], knobs={"beta": 1.0}),
        variant("b0", seed=0, values=[{"value": 0.9}], knobs={"beta": 9.0}),
        variant("b1", seed=1, knobs={"beta": 9.0}),
    ]
    assert shown(runs, "oracle:mig") == {
        (1.0, "oracle (mig) 0.500, best of 2, 1 without this score", True)
    }
    other = variant("c", values=[{"value": 0.9, "protocol": "disjoint"}], knobs={"beta": 5.0})
    with pytest.raises(UsageError, match="'mig' matches several scores; use one of"):
        select([*runs, other], "oracle:mig")
    ((beta, _, _),) = shown([*runs, other], "oracle:mig [disjoint]")
    assert beta == 5.0


def test_configuration_with_a_score_that_is_not_finite_is_not_chosen(variant):
    runs = [
        variant(f"{beta}-{seed}", seed=seed, values=[{"value": value}], knobs={"beta": beta})
        for beta, value in ((1.0, 0.5), (9.0, 0.9))
        for seed in range(2)
    ]
    file = runs[-1].path / "scores.json"
    file.write_text(file.read_text().replace("0.9", "NaN"))
    assert shown(runs, "oracle:mig") == {
        (1.0, "oracle (mig) 0.500, best of 2, 1 without this score", True)
    }


def test_less_is_chosen_where_it_is_better_and_neither_where_there_is_no_better(variant):
    total, kl = ({"name": name, "metric": "elbo"} for name in ("elbo/total", "elbo/kl"))
    runs = [
        variant(str(b), values=[{"value": v, **total}, {"value": v, **kl}], knobs={"beta": b})
        for b, v in ((1.0, -499.0), (9.0, 20.0))
    ]
    assert shown(runs, "oracle:elbo/total") == {
        (1.0, "oracle (elbo/total) -499.0, best of 2", True)
    }
    with pytest.raises(UsageError, match="declares no better direction"):
        select(runs, "oracle:elbo/kl")


def test_model_that_cannot_be_chosen_by_a_score_is_told(sweep, variant):
    others = [variant(f"v{b}", knobs={"beta": b}, record={"model": "vae"}) for b in (1.0, 2.0)]
    (table,) = make_tables([*sweep, *others], selection=select([*sweep, *others], "oracle:mig"))
    assert [row.model for row in table.rows] == ["beta-vae"]
    assert "Not shown, because they lack the score that selects settings: vae." in table.caption


@pytest.mark.parametrize("name", ["lr", "batch_size", "beta"])
def test_any_option_that_was_given_makes_a_row_one_by_hand(run, name):
    reset = {
        part: {
            k: s.model_copy(update={"value": s.default, "origin": "default"})
            for k, s in getattr(run.record, part).items()
        }
        for part in ("settings", "training")
    }
    run.save_record(**reset)
    assert run.record.origin == "default"
    part = "settings" if name == "beta" else "training"
    changed = {"value": 3, "origin": "given"}
    values = {**reset[part], name: reset[part][name].model_copy(update=changed)}
    run.save_record(preset="higgins2017", **{part: values})
    assert run.record.origin == "preset higgins2017, changed"


def test_runs_are_filtered_by_fingerprint_and_part(variant):
    a = variant("a", fingerprint="a" * 64)
    b = variant("b", view={"split": "train"})
    assert where([a, b], [f"fingerprint={'a' * 10}"]) == [a]
    assert where([a, b], ["part=split train"]) == [b]


def test_dataset_without_the_selecting_score_is_named_not_left_out(variant):
    runs = [variant("a", knobs={"beta": 1.0}, fingerprint="a" * 64)]
    runs += [variant("b", values=[{"protocol": "disjoint"}], fingerprint="b" * 64)]
    runs += [variant("c", values=[], fingerprint="c" * 64)]
    with pytest.raises(UsageError, match=r"no run has the score 'mig'.*; on tiny \(`--where"):
        select(runs, "oracle:mig")


def test_heading_of_the_table_is_taken(variant):
    factors = tuple(variant("x").record.dataset.factors)
    values = [
        {"factors": factors, "protocol": p, "value": v}
        for p, v in (("disjoint", 0.1), ("locatello2019", 0.2))
    ]
    runs = [variant("y", values=values, knobs={"beta": 2.0})]
    (table,) = make_tables(runs)
    for heading in table.columns.values():
        assert select(runs, f"oracle:{heading}").kept
