"""Several seeds of one configuration: what may be written, and which runs it stands for."""

import pytest

from disentangle._utils.device import cores
from disentangle.errors import UsageError
from disentangle.runs.labels import write_label
from disentangle.studies.jobs import Order
from disentangle.studies.seeds import executor_for, parse_seeds, plan_seeds
from disentangle.training.train import train

SETTINGS = {"beta": 2.0, "steps": 5, "batch_size": 8}
ARGUMENTS = {
    "preset": None,
    "device": "cpu",
    "checkpoint_every": None,
    "results": "results",
    "study": "default",
    "name": None,
    "note": None,
    "data_dir": None,
    "file": None,
    "download": False,
    "image_size": None,
    "channels": None,
    "split": None,
    "factors": None,
    "hold_out": (),
    "hold_out_seed": 0,
    "correlate": (),
    "keep": None,
    "score_every": None,
    "metrics": None,
    "figures": False,
    "track": None,
}


@pytest.fixture
def plan(strangers, tmp_path, monkeypatch):
    """A function that plans two seeds of beta-VAE, with other arguments."""
    monkeypatch.chdir(tmp_path)

    def make(seeds=(0, 1), **arguments):
        return plan_seeds("beta-vae", "tiny", seeds, SETTINGS, {**ARGUMENTS, **arguments})

    return make


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0..4", (0, 1, 2, 3, 4)),
        ("0,3,7", (0, 3, 7)),
        ("0..2,5", (0, 1, 2, 5)),
        ("7, 0..1", (7, 0, 1)),
        ("3..3", (3,)),
    ],
)
def test_seeds_are_listed_or_ranges_with_both_ends(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "use `--seed 5` for this seed, or `--seeds 0..4` for so many seeds"),
        ("4..0", r"expected the lower seed first, 0\.\.4; got '4\.\.0'"),
        ("0,1,0", "seed 0 is given 2 times"),
        ("0..4,2", "seed 2 is given 2 times"),
        ("0-4", r"a range with two dots, 0\.\.4; got '0-4'"),
        ("0:4", r"a range with two dots, 0\.\.4; got '0:4'"),
        ("-1..3", r"such as 0\.\.4 or 0,3,7; got '-1\.\.3'"),
        ("0,,1", "got ''"),
        ("", "got ''"),
        ("a..b", r"got 'a\.\.b'"),
        ("0.5,1", r"got '0\.5'"),
        ("0..99999999999", "at most 1,000,000 seeds"),
    ],
)
def test_other_texts_are_refused_with_what_is_right(text, message):
    with pytest.raises(UsageError, match=message):
        parse_seeds(text)


def test_runs_are_those_of_single_trainings(plan, tmp_path):
    planned = plan((0, 3), hold_out=("0.2",), note="mine")
    singles = [
        train("beta-vae", "tiny", **SETTINGS, seed=seed, hold_out=["0.2"], device="cpu",
              figures=False, results=tmp_path / "single")
        for seed in (0, 3)
    ]  # fmt: skip
    for job, single in zip(planned.jobs, singles, strict=True):
        assert job.record.id == single.record.id
        assert job.record.settings == single.record.settings
        assert job.record.training == single.record.training
        assert job.record.dataset == single.record.dataset
        assert job.record.model_copy(update={"threads": 7}).id == job.record.id
    assert [job.name for job in planned.jobs] == ["seed 0", "seed 3"]
    assert planned.name == "beta-vae on tiny"


def test_order_survives_its_way_to_the_worker(plan, tmp_path):
    planned = plan(data_dir=tmp_path, hold_out=("0.2",), keep="every:2", name="mine")
    order = planned.jobs[1].order
    assert Order.model_validate_json(order.model_dump_json()).options == {
        **SETTINGS,
        "seed": 1,
        "name": "mine-seed1",
        "data_dir": str(tmp_path),
        "hold_out": ["0.2"],
        "hold_out_seed": 0,
        "correlate": [],
        "keep": "every:2",
    }


def test_trackers_show_each_run(plan):
    planned = plan(track=["diary:fails=log"])
    assert [job.order.track for job in planned.jobs] == [("diary:fails=log",)] * 2
    assert "track" not in planned.jobs[0].order.options


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keep": "2"}, "--keep must be every:STEPS"),
        ({"metrics": ["mig"]}, "requires --score-every"),
        ({"checkpoint_every": 0}, "at least 1"),
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"track": ["nowhere"]}, "no tracker 'nowhere'"),
        ({"name": "a b"}, "--name 'a b-seed0'"),
        ({"study": "a/b"}, "--study a/b"),
    ],
    ids=str,
)
def test_mistakes_are_found_before_anything_is_started(plan, arguments, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        plan(**arguments)
    assert not (tmp_path / "results").exists()


def test_name_of_another_run_is_refused(plan, run, tmp_path):
    other = tmp_path / "results" / "default" / "tiny" / "beta-vae" / "other"
    run.path.rename(other.parent.mkdir(parents=True) or other)
    write_label(other, name="mine-seed1")
    with pytest.raises(UsageError, match=r"--name mine-seed1: .* has this name already"):
        plan(name="mine")


def test_cores_are_shared_by_all_seeds_whatever_is_left_to_do():
    for count in (1, cores(), cores() + 3):
        executor = executor_for(count, None, "cpu")
        assert executor.width("cpu") == min(count, cores())
        assert executor.threads_each("cpu") == cores() // min(count, cores())
    assert executor_for(5, 1, "cpu").threads_each("cpu") == cores()
    with pytest.raises(UsageError, match="exceed the"):
        executor_for(1000, 1000, "cpu")
