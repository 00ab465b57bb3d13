"""Study files, and the plans that are made of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from disentangle.contracts import registry
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError, OldSpelling, UsageError
from disentangle.runs.layout import FILES
from disentangle.runs.named import load_run
from disentangle.runs.score_records import ScoreFile
from disentangle.scoring.score_runs import score
from disentangle.studies.estimate import Estimate
from disentangle.studies.local_executor import Local
from disentangle.studies.plan import load_plan, score_requests
from disentangle.studies.study_file import dataset_of, expand, parse_study, read_text
from disentangle.training.configuration import ModelRequest
from disentangle.training.train import train

pytestmark = pytest.mark.usefixtures("strangers")
SMALL = """
[defaults]
dataset = "tiny"
steps = 5
batch_size = 8
"""
RUNS = SMALL + '[[runs]]\nmodel = "beta-vae"\nbeta = [1, 2]\nseeds = 2\n'
SCORED = RUNS + '[[scores]]\nmetrics = ["mig"]\n'


@pytest.fixture
def study(tmp_path):
    """A function that writes a study's file and returns its path."""

    def write(text, name="mine"):
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def plan(study, tmp_path):
    """A function that returns the plan of a study's text."""

    def make(text, **options):
        return load_plan(study(text), results=tmp_path / "results", device="cpu", **options)

    return make


def test_whole_numbers_of_a_study_may_be_written_as_floats(plan):
    text = RUNS.replace("steps = 5", "steps = 1e1").replace("seeds = 2", "seeds = 2.0")
    text = text.replace('"tiny"', '{ name = "tiny", hold_out = ["0.2"], hold_out_seed = 1e0 }')
    jobs = plan(text + '[[scores]]\nmetrics = ["mig:bins=1e1"]\nseed = 3.0\n').jobs
    assert len(jobs) == 4
    assert {job.record.recipe["steps"] for job in jobs} == {10}
    assert {job.order.asked[0].seed for job in jobs} == {3}
    assert {type(job.record.dataset.view["hold_out_seed"]) for job in jobs} == {int}


def test_default_metrics_of_dependent_factors_are_planned_and_said_once(plan, monkeypatch):
    monkeypatch.setattr(type(load_dataset("tiny")), "dependence", "side goes with x")
    lines = []
    jobs = plan(RUNS, say=lines.append).jobs
    (line,) = [line for line in lines if "default metrics" in line]
    assert line.startswith("tiny: the default metrics are downstream, ")
    assert line.endswith(", because side goes with x")
    names = {request.metric.name for job in jobs for request in job.missing(None)}
    assert {"tad", "explicitness"} <= names
    assert "mig" not in names


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_study_file_may_begin_with_a_byte_order_mark(study, encoding):
    file = study("")
    file.write_text(RUNS, encoding=encoding)
    assert read_text(file) == RUNS


def test_study_file_in_another_encoding_is_told_to_be_so(study):
    file = study("")
    file.write_text(RUNS, encoding="utf-16")
    with pytest.raises(DisentangleError, match="not text in UTF-8; save it as UTF-8"):
        read_text(file)


def test_old_name_of_a_figure_is_taken_with_a_warning():
    text = RUNS + "[[figures]]\nkind = 'sweep'\nscore = 'mig'\nknob = 'beta'\n"
    with pytest.warns(OldSpelling, match="figure kind 'sweep' is now 'effect'"):
        (figure,) = parse_study(text, Path("mine.toml")).figures
    assert figure.kind == "effect"


def test_lists_are_grids():
    found = list(expand({"model": ["a", "b"], "dataset": "d", "beta": [1, 2]}, ""))
    assert [(one["model"], one["beta"]) for one in found] == [
        ("a", 1), ("a", 2), ("b", 1), ("b", 2),
    ]  # fmt: skip


def test_seeds_is_their_number():
    found = expand({"model": "a", "dataset": "d", "seeds": 3}, "")
    assert [one["seed"] for one in found] == [0, 1, 2]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"dataset": "d"}, "model is missing"),
        ({"model": "a"}, "dataset is missing"),
        ({"model": "a", "dataset": "d", "seeds": 2, "seed": 1}, "seed or seeds, not both"),
        ({"model": "a", "dataset": "d", "seeds": 0}, "1 or more"),
        ({"model": "a", "dataset": "d", "seeds": [1, 2]}, "For explicit seeds use"),
        ({"model": "a", "dataset": "d", "seeds": 10**20}, "is a count"),
        ({"model": "a", "dataset": "d", "beta": []}, "beta is an empty list"),
    ],
    ids=str,
)
def test_block_that_makes_no_sense_is_refused(block, message):
    with pytest.raises(UsageError, match=message):
        list(expand(block, "here"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("about = \n", r"mine.toml: .*line 1"),
        ("abuot = ''\n" + RUNS, "abuot: Extra inputs"),
        ("about = ''\n", r"no runs; add \[\[runs\]\]"),
        (SMALL + "runs_of = ['x.toml']\n", "runs_of"),
        (RUNS + "[[figures]]\nkind = 'pie'\n", r"figures\.0\.kind"),
        (RUNS + "[[figures]]\nkind = 'effect'\nknob = 'beta'\n", "requires one score"),
        (RUNS + "[[figures]]\nkind = 'shift'\n", "figure 'shift' requires one score"),
        (RUNS + "[[figures]]\nkind = 'trained-on'\n", "figure 'trained-on' requires one score"),
        (RUNS + "[[figures]]\nkind = 'protocols'\nscore='mig'\nknob = 'beta'\n", "not allowed for"),
        (RUNS + "[[scores]]\nmetrics = []\n", r"scores\.0\.metrics"),
        (RUNS + "[scores]\nseed = 1\n", r"scores: expected an array of tables, \[\[scores\]\]"),
        ("runs_of = 'other.toml'\n", r"runs_of: expected a list \[...\], got 'other.toml'"),
        ("tables = 1\n" + RUNS, "tables: expected a table, got 1"),
        ("baselines = 'pca'\n" + RUNS, "baselines: expected true, false or a list of names"),
        ("baselines = ['pcb']\n" + RUNS, "mine.toml: no baseline 'pcb'; did you mean 'pca'"),
        (RUNS + "[tables]\nchoose = 'best'\n", "mine.toml: --choose best: the rules are"),
        (RUNS + "[tables]\nchoose = 'labels:50:mgi'\n", "no metric 'mgi'"),
        (
            RUNS + "[[figures]]\nkind = 'variance'\nwhere = ['beta']\n",
            "--where beta: expected a condition",
        ),
        (RUNS + "[[scores]]\ndatasets = ['tyny']\n", r"scores\.0: .*'tyny'; did you mean 'tiny'"),
    ],
    ids=str,
)
def test_file_that_is_no_study_names_the_place(text, message, study):
    with pytest.raises(UsageError, match=message):
        load_plan(study(text))


def test_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DisentangleError, match=r"no.toml: cannot be read: No such file"):
        read_text(tmp_path / "no.toml")


STUDIES = sorted((Path(__file__).parents[2] / "benchmarks").glob("*.toml"))


@pytest.mark.slow
@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_shipped_study_asks_for_what_there_is(file):
    said = parse_study(read_text(file), file)
    assert said.about
    for block in said.runs:
        for run in expand({**said.defaults, **block}, file.name):
            model = run.pop("model")
            dataset = dataset_of(run.pop("dataset"), file)["name"]
            assert dataset in registry.datasets.entries
            preset = run.pop("preset", None)
            request = ModelRequest.of(model, run, preset)
            assert request.name == model
            assert bool(request.paper(dataset).training) == (preset is not None)
    for asked in (each.request for each in score_requests(said.scores, file)):
        assert asked.specs


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ('model = "beta-vae"\nbetta = 2', r"runs\.1: .*'betta'; did you mean 'beta'"),
        ('model = "beta-vae"\nbeta = -1', r"runs\.1: beta must be .* at least 0; got -1"),
        ('model = "bta-vae"', r"runs\.1: no model 'bta-vae'; did you mean"),
        ('model = "vae"\npreset = "higgins"', r"runs\.1: no preset 'higgins'"),
        ('model = "vae"\ndataset = { nmae = "tiny" }', r"runs\.1: dataset: expected a name"),
        ('model = "vae"\ndataset = { name = "tiny", part = 1 }', r"dataset: unknown key 'part'"),
        ('model = "vae"\ndataset = "tyny"', r"runs\.1: .*'tyny'; did you mean 'tiny'"),
        ("model = 3", r"runs\.1: model must be text; got 3"),
        (
            'model = "vae"\npreset = "higgins2017"',
            r"runs\.1: preset 'higgins2017' has no settings for vae on tiny, only for vae and beta",
        ),
        ('model = "vae"\npreset = true', r"runs\.1: preset must be text; got True"),
        (
            'model = "vae"\nhold_out = ["0.2"]',
            r"hold_out belongs to the dataset: dataset = \{ name",
        ),
        ('model = "vae"\ndataset = { name = "tiny", split = 1 }', r"runs\.1: dataset\.split: "),
        (
            'model = "vae"\ndataset = { name = "tiny", hold_out = "0.2" }',
            r"runs\.1: dataset\.hold_out: expected a list \[...\], got '0.2'",
        ),
        ('model = "vae"\ndataset = { name = "tiny", hold_out_seed = true }', "hold_out_seed: "),
        (
            'model = "vae"\ndataset = { name = "tiny", correlate = "side,x=0.2" }',
            r"runs\.1: dataset\.correlate: expected a list \[...\], got 'side,x=0.2'",
        ),
        (
            'model = "vae"\ndataset = { name = "tiny", correlate = ["side,z=0.2"] }',
            r"runs\.1: --correlate side,z=0.2: tiny has no factor 'z'",
        ),
        ('model = "vae"\nbatch_size = 100000', r"runs\.1: batch size 100000 exceeds"),
    ],
    ids=str,
)
def test_run_that_makes_no_sense_names_the_block(runs, message, plan):
    with pytest.raises(UsageError, match=message):
        plan(f"{RUNS}[[runs]]\n{runs}\n")


def test_metric_that_makes_no_sense_is_refused_before_anything_runs(plan):
    with pytest.raises(UsageError, match=r"mine.toml: scores: no metric 'mgi'; did you mean 'mig'"):
        plan(RUNS + '[[scores]]\nmetrics = ["mgi"]\n')


def test_planned_run_is_the_one_that_is_trained(plan, tmp_path):
    text = SMALL + (
        '[[runs]]\nmodel = "beta-vae"\nbeta-norm = 0.01\nseed = 3\n'
        'dataset = { name = "tiny", hold_out = ["0.2"], correlate = ["side,x=0.2"] }\n'
    )
    job = plan(text).jobs[0]
    order = job.order
    run = train(
        order.model,
        order.dataset,
        results=order.results,
        study=order.study,
        device="cpu",
        figures=False,
        **order.options,
    )
    assert run.path == job.path
    assert run.record.dataset == job.record.dataset
    assert run.record.settings == job.record.settings


def test_run_that_two_blocks_ask_for_is_one(plan):
    text = RUNS + '[[runs]]\nmodel = "beta-vae"\nbeta = [2, 3]\n'
    found = plan(text).jobs
    assert len(found) == 5
    assert len({job.path for job in found}) == 5


def test_runs_are_called_by_what_tells_them_apart(plan):
    text = RUNS + '[[runs]]\nmodel = "vae"\nseed = [1, 5]\n'
    names = [job.name for job in plan(text).jobs]
    assert names[0] == "beta-vae beta=1.0, seed=0"
    assert names[-1] == "vae seed=5"


def test_state_follows_the_run(plan, tmp_path):
    found = plan(SCORED)
    job = found.jobs[0]
    assert job.state() == "new"
    run = train(
        "beta-vae", "tiny", beta=1, steps=5, batch_size=8, seed=0, device="cpu", figures=False,
        results=tmp_path / "results", study="mine",
    )  # fmt: skip
    assert job.state() == "unscored"
    score(run, ["mig"])
    assert job.state() == "unscored"  # its figures are wanted too
    for name in FILES:
        (run.figures / name).parent.mkdir(exist_ok=True)
        (run.figures / name).touch()
    assert job.state() == "done"
    run.save_record(finished=None)
    assert job.state() == "unfinished"
    run.save_record(failed="it broke")
    assert job.state() == "failed"


def test_score_that_is_not_to_be_had_is_not_missing(plan, run, tmp_path):
    text = "pictures = false\n" + SMALL
    job = plan(text + '[[runs]]\nmodel = "vae"\n[[scores]]\nmetrics = ["mig"]\n').jobs[0]
    made = train("vae", "tiny", steps=5, batch_size=8, device="cpu", figures=False,
                 results=tmp_path / "results", study="mine")  # fmt: skip
    score(made, ["mig"])
    file = made.path / "scores.json"
    (found,) = ScoreFile.model_validate_json(file.read_text()).scores
    gone = found.model_copy(update={"value": None, "reason": "nothing to score"})
    file.write_text(ScoreFile(scores=(gone,)).model_dump_json())
    assert job.state() == "done"


def test_dataset_that_is_not_here_is_said_with_its_remedy(plan):
    found = plan(SMALL + '[[runs]]\nmodel = "vae"\ndataset = ["tiny", "celeba"]\n')
    assert [job.order.dataset for job in found.jobs] == ["tiny"]
    assert "data prepare celeba" in found.absent["celeba"]


def test_scores_of_held_out_runs_are_not_asked_of_others(plan):
    text = RUNS.replace('"tiny"', '["tiny", { name = "tiny", hold_out = ["0.2"] }]')
    text += '[[scores]]\nmetrics = ["mig"]\n'
    block = '[[scores]]\nmetrics = ["mig"]\nsplit = "train"\nheld_out = true\n'
    asked = {
        bool(job.record.dataset.view): [one.split for one in job.order.asked]
        for job in plan(text + block).jobs
    }
    assert asked == {False: [None], True: [None, "train"]}
    with pytest.raises(UsageError, match="held_out: no run holds out images"):
        plan(RUNS + block)


def test_correlated_scores_are_asked_of_runs_with_correlated_factors(plan):
    text = RUNS.replace('"tiny"', '["tiny", { name = "tiny", correlate = ["side,x=0.3"] }]')
    text += '[[scores]]\nmetrics = ["mig"]\n'
    block = '[[scores]]\nmetrics = ["mig"]\ncorrelated = true\n'
    jobs = plan(text + block).jobs
    asked = {
        bool(job.record.dataset.view): [one.correlated for one in job.order.asked] for job in jobs
    }
    assert asked == {False: [False], True: [False, True]}
    views = [[part.view for part in job.scored] for job in jobs if len(job.scored) > 1]
    assert all(each == [{}, {"correlate": ("side,x=0.3",)}] for each in views)
    with pytest.raises(UsageError, match="correlated: no run is trained with correlated factors"):
        plan(RUNS + block)


def test_datasets_can_be_left_out(plan):
    text = SMALL + '[[runs]]\nmodel = "vae"\ndataset = ["tiny", "celeba"]\n'
    found = plan(text, datasets=["tiny"])
    assert len(found.jobs) == 1
    assert not found.absent
    with pytest.raises(UsageError, match="no run uses dataset cars3d"):
        plan(text, datasets=["cars3d"])


def test_runs_of_another_study_stay_in_its_folder(plan, study, tmp_path):
    study(SCORED, "other")
    (tmp_path / "half.toml").write_text('about = "half"\npoints = "disjoint"\n')
    found = plan(
        'runs_of = ["other.toml"]\n[[scores]]\nmetrics = ["mig", "sap"]\n'
        'protocols = ["half.toml"]\n'
    )
    assert len(found.jobs) == 4
    assert {job.path.parents[2].name for job in found.jobs} == {"other"}
    assert found.folder == tmp_path / "results" / "mine"
    assert found.jobs[0].order.asked[0].metrics == ("mig", "sap")
    assert found.jobs[0].order.asked[0].protocol == str(tmp_path / "half.toml")


def test_studies_that_ask_for_each_other_are_refused(plan, study):
    study('runs_of = ["mine.toml"]\n', "other")
    with pytest.raises(UsageError, match=r"other.toml: runs_of: circular reference to mine.toml"):
        plan('runs_of = ["other.toml"]\n')


def test_images_of_ones_own_lie_beside_the_file(plan, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (64, 32, 32), np.uint8)
    np.savez(tmp_path / "mine.npz", images=images)
    job = plan(SMALL + '[[runs]]\nmodel = "vae"\ndataset = "./mine.npz"\n').jobs[0]
    assert job.order.dataset == str(tmp_path / "mine.npz")
    assert job.record.dataset.file == str(tmp_path / "mine.npz")


def test_path_in_a_reference_starts_at_the_file_and_scores_name_it(plan, tmp_path):
    for i in range(12):
        path = tmp_path / "pets" / str(i % 2) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (32, 32), np.uint8)).save(path)
    runs = '[[runs]]\nmodel = "vae"\ndataset = ["hf:./pets", "shelf:squares:test"]\n'
    scores = '[[scores]]\nmetrics = ["mig"]\ndatasets = ["hf:./pets"]\n'
    own, other = plan(SMALL + runs + scores).jobs
    assert own.order.dataset == f"hf:{tmp_path / 'pets'}"
    assert (own.record.dataset.name, own.record.dataset.file) == (
        "hf:./pets",
        str(tmp_path / "pets"),
    )
    assert other.record.dataset.name == "shelf:squares:split=test"
    assert (len(own.order.asked), len(other.order.asked)) == (1, 0)


def test_time_left_comes_from_the_runs_that_there_are(plan, tmp_path):
    found = plan(RUNS)
    states = {job: job.state() for job in found.jobs}
    train("beta-vae", "tiny", beta=1, steps=5, batch_size=8, seed=0, device="cpu", figures=False,
          results=tmp_path / "results", study="mine")  # fmt: skip
    run = load_run(found.jobs[0].path)
    slow = [{**entry, "images_per_second": 4.0} for entry in run.log]
    (run.path / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in slow))
    estimate = Estimate(found, Local(jobs=2, threads=1), "cpu", lambda text: None)
    assert estimate.measured == 0
    job = found.jobs[1]
    assert estimate.seconds(job, states[job]) >= 5 * 8 / 4


def test_file_whose_name_begins_with_a_dot_is_refused(study):
    with pytest.raises(UsageError, match=r"must not start with a dot; rename the file"):
        load_plan(study(RUNS, ".mine"))


def test_model_that_cannot_be_timed_costs_the_others_nothing(plan, monkeypatch):
    def broken(run, device):
        raise RuntimeError("of course")

    monkeypatch.setattr("disentangle.studies.estimate.time_steps", broken)
    found, said = plan(RUNS), []
    estimate = Estimate(found, Local(jobs=2, threads=1), "cpu", said.append)
    assert said[-1] == "timing failed: of course"
    assert estimate.all({job: job.state() for job in found.jobs}) > 0


def test_time_left_comes_from_a_trial_where_there_is_no_run(plan):
    found = plan(RUNS)
    said = []
    estimate = Estimate(found, Local(jobs=2, threads=1), "cpu", said.append)
    assert estimate.measured == 1
    assert said == ["timing beta-vae on tiny"]
    states = {job: job.state() for job in found.jobs}
    each = [estimate.seconds(job, state) for job, state in states.items()]
    assert estimate.all(states) == pytest.approx(sum(each) / 2)
    assert min(each) > 0
