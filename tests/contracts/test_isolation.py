"""Plugins that misbehave: each is told by whose it is, and leaves the others working."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from contextlib import redirect_stdout

import numpy as np
import pytest
import torch
from conftest import refresh

from disentangle.contracts import entry_points, registry
from disentangle.contracts.isolation import GENERATORS, Attributed
from disentangle.errors import DisentangleError, PluginWarning
from disentangle.runs.scores import read_scores
from disentangle.scoring.score_runs import score
from disentangle.studies.plan import load_plan
from disentangle.studies.process import AGAIN, FINAL
from disentangle.training.train import train

STEPS = ["--steps", "3", "--batch-size", "8", "--device", "cpu", "--no-figures"]
SMALL = {"steps": 3, "batch_size": 8, "figures": False, "device": "cpu"}


def install(folder, name, more):
    """Write what a package manager leaves of a distribution with one model, a sound one."""
    info = folder / f"{name}s-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}s\nVersion: 1.0\n{more}\n")
    (info / "entry_points.txt").write_text(f"[disentangle.models]\n{name} = rogues.models:Sound\n")
    refresh()


@pytest.fixture
def rogues(rogues_folder, strangers, tmp_path, monkeypatch):
    """A folder on the path, with the rogues installed in it; others may be put beside them."""
    folder = shutil.copytree(rogues_folder, tmp_path / "site")
    monkeypatch.syspath_prepend(str(folder))
    refresh()
    yield folder
    monkeypatch.undo()
    for name in [name for name in sys.modules if name.split(".")[0] == "rogues"]:
        del sys.modules[name]
    refresh()


@pytest.mark.parametrize(
    ("model", "message", "where"),
    [
        ("raising", "failed: RuntimeError: no such luck (models.py, line ", ", in before)"),
        ("unbuildable", "cannot be built with", ": no such layer"),
    ],
)
def test_model_that_raises_is_named_with_its_distribution(rogues, command, model, message, where):
    code, out, err = command("train", model, "tiny", *STEPS)
    assert (code, out) == (1, "")
    assert f"model '{model}' of rogues 1.0 " in err
    assert message in err
    assert where in err
    assert command("train", "sound", "tiny", *STEPS, "--results", "others")[0] == 0


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("numbered", "cannot be trained: the name of a term must be a string, got 0"),
        ("vector", "cannot be trained: term 'kl' must be a scalar, got [8]: take its mean"),
        (
            "tuple",
            "cannot be trained: encode() must return a Posterior (or a Code in a Model[Code]), "
            "got tuple",
        ),
        (
            "narrow",
            "cannot be trained: decode() must return images [2, 1, 64, 64], got [2, 1, 64, 63]",
        ),
        ("detached", "cannot be trained: its terms have no gradient"),
        ("bare", "lacks the method terms() required by its contract"),
        ("wrong-knob", "declares an invalid knob: w must be a finite number, at least 0; got -1.0"),
    ],
)
def test_model_that_breaks_its_contract_is_named(rogues, command, model, message):
    code, out, err = command("train", model, "tiny", *STEPS)
    assert (code, out) == (1, "")
    assert f"error: model '{model}' of rogues 1.0 {message}" in err


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("misnamed", "score 'mig' must be named 'misnamed' or 'misnamed/part'"),
        ("empty", "score() returned no score"),
        ("listed", "score() must return a mapping of names to values, got list"),
        ("broad", "detail 'broad/each' along latent must have shape [10], got [99]"),
    ],
)
def test_metric_that_breaks_its_contract_costs_the_others_nothing(rogues, run, metric, message):
    with pytest.raises(DisentangleError) as caught:
        score(run, [metric, "spread"])
    assert f"metric '{metric}' of rogues 1.0: {message}" in str(caught.value)
    assert [s.name for s in read_scores(run)] == ["spread"]


def test_metric_that_does_not_say_why_is_told_so(rogues, run):
    assert score(run, ["silent"]).unavailable == {"silent": "the metric gives no reason"}


def test_failing_metric_costs_the_baselines_nothing_but_its_own(rogues, command):
    words = ["--metric", "misnamed", "--metric", "mig", "--only", "oracle"]
    code, out, err = command("baselines", "tiny", *words)
    assert code == 1
    assert out.splitlines()[0].split() == ["mig"]
    assert err.count("metric 'misnamed' of rogues 1.0: score 'mig'") == 1


def test_score_records_whose_metric_it_is(rogues, run):
    score(run, ["silent"])
    (found,) = read_scores(run)
    assert found.packages["rogues"] == "1.0"


def test_model_that_ends_the_process_does_not_stop_a_study(rogues, command, tmp_path):
    rows = [f'[[runs]]\nmodel = "{m}"\ndataset = "tiny"\nsteps = 3\n' for m in ("leaver", "vae")]
    (tmp_path / "mine.toml").write_text("\n".join(rows))
    code, _, err = command("sweep", "mine.toml", "--dry-run", "--device", "cpu")
    assert code == 0
    assert "timing failed: model 'leaver' of rogues 1.0 failed: SystemExit: 0" in err


def test_run_whose_model_is_not_installed_any_more_says_what_to_install(rogues, command, tmp_path):
    code, out, _ = command("train", "sound", "tiny", *STEPS)
    (rogues / "rogues-1.0.dist-info" / "entry_points.txt").write_text("")
    refresh()
    code, _, err = command("traverse", out.strip())
    assert code == 1
    assert "no model 'sound'" in err
    assert "The run was trained with the plugin of rogues 1.0. Install this package" in " ".join(
        err.split()
    )


def test_loss_that_is_not_finite_is_told_with_its_distribution(rogues, command):
    code, _, err = command("train", "infinite", "tiny", *STEPS)
    assert code == 1
    assert "'loss' is not finite at step 1" in err
    assert "training of model 'infinite' of rogues 1.0 stopped: " in err


def test_knob_that_is_called_like_an_option_is_told(rogues, command):
    code, _, err = command("train", "clashing", "tiny", *STEPS)
    assert code == 1
    assert "model 'clashing' of rogues 1.0 declares an invalid knob: " in err
    assert "the name 'steps' is reserved" in err


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("unread", "/nowhere/images.npz: No such file or directory (caused by dataset 'unread'"),
        ("last-label", "expected labels of 'x' from 0 to 2, got 9"),
        (
            "some-image",
            "one uint8 image per index: expected 8 of torch.uint8, got 8 of torch.float32",
        ),
    ],
)
def test_dataset_that_breaks_its_contract_is_named(rogues, command, dataset, message):
    code, _, err = command("train", "vae", dataset, *STEPS[2:], "--steps", "9")
    assert code == 1
    assert message in err
    assert f"dataset '{dataset}' of rogues 1.0" in err


def test_label_that_is_none_is_told_when_it_is_read(rogues, tmp_path):
    run = train("vae", "some-label", results=tmp_path, **SMALL)
    with pytest.raises(DisentangleError, match=r"dataset 'some-label' of rogues 1\.0 cannot be"):
        score(run, ["mig"])


@pytest.mark.slow
@pytest.mark.parametrize(("model", "code"), [("mistyped", FINAL), ("raising", AGAIN)])
def test_slip_in_a_plugins_code_is_not_tried_again(rogues, tmp_path, model, code):
    (tmp_path / "mine.toml").write_text(
        f'[[runs]]\nmodel = "{model}"\ndataset = "tiny"\nsteps = 3\nbatch_size = 8\n'
    )
    order = load_plan(tmp_path / "mine.toml", results=tmp_path, device="cpu").jobs[0].order
    with subprocess.Popen(
        [sys.executable, "-m", "disentangle.studies.worker"],
        env={**os.environ, "PYTHONPATH": f"{rogues}{os.pathsep}{os.environ['PYTHONPATH']}"},
        stdin=subprocess.PIPE,  # which stays open: a worker that nobody waits for stops
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdin.write(order.model_dump_json() + "\n")
        process.stdin.flush()
        said = process.stderr.read()
    assert process.returncode == code, said
    assert f"error: model '{model}' of rogues 1.0 failed: " in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("executor", "message"),
    [
        (
            "wide",
            "Wide.width() must return a positive number of jobs, got 'many'",
        ),
        ("mumbling", "rogues.executors:Mumbling.run() must yield an Event, got 'done'"),
    ],
)
def test_executor_that_breaks_its_contract_is_told(rogues, command, tmp_path, executor, message):
    (tmp_path / "mine.toml").write_text(
        '[[runs]]\nmodel = "vae"\ndataset = "tiny"\nsteps = 3\nbatch_size = 8\n'
    )
    code, _, err = command("sweep", "mine.toml", "--device", "cpu", "--on", executor)
    assert code == 1
    assert message in err


def test_metric_that_ends_the_process_costs_the_others_nothing(rogues, run):
    with pytest.raises(DisentangleError, match=r"'leaving' of rogues 1\.0 failed: SystemExit"):
        score(run, ["leaving", "spread"])
    assert [s.name for s in read_scores(run)] == ["spread"]


@pytest.mark.slow
def test_verbose_adds_the_traceback(rogues, tmp_path):
    call = [sys.executable, "-m", "disentangle", "--verbose", "train", "raising", "tiny", *STEPS]
    env = {**os.environ, "PYTHONPATH": f"{rogues}{os.pathsep}{os.environ['PYTHONPATH']}"}
    result = subprocess.run(call, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert result.returncode == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "model 'raising' of rogues 1.0, from " in result.stderr


def test_verbose_says_which_plugin_ended_the_process(strangers, tmp_path):
    call = [sys.executable, "-m", "disentangle", "--verbose", "show", "deadly"]
    result = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 7
    assert result.stderr.splitlines()[-1] == "importing model 'deadly' of strangers 3.1"


def test_what_a_plugin_prints_is_told_beside_the_results(rogues, command):
    code, out, err = command("train", "chatty", "tiny", *STEPS)
    assert code == 0
    assert out.count("\n") == 1  # the run's path
    assert "look at me" not in out
    assert "warning: model 'chatty' of rogues 1.0 printed: look at me!" in err


def test_plugins_are_looked_up_once_however_much_is_printed(monkeypatch, capsys):
    looked = []
    monkeypatch.setattr(entry_points, "every_entry", lambda: looked.append(1) or [])
    refresh()
    with redirect_stdout(Attributed(sys.stdout, lambda text: None)):
        for _ in range(3):
            print("a result")
    refresh()
    said = capsys.readouterr()
    assert (said.out, said.err.count("a result"), len(looked)) == ("", 3, 1)


def test_model_that_seeds_the_world_is_told(rogues, tmp_path):
    torch.manual_seed(7)
    with pytest.warns(PluginWarning, match="'seeding' of rogues 1.0 seeds or draws from torch's"):
        run = train("seeding", "tiny", results=tmp_path, **SMALL)
    assert run.finished


def test_dataset_that_seeds_the_world_is_told(rogues, tmp_path):
    np.random.seed(7)  # noqa: NPY002
    with pytest.warns(PluginWarning, match="'seeding-images' of rogues 1.0 seeds .* NumPy's"):
        assert train("vae", "seeding-images", results=tmp_path, **SMALL).finished


def test_metric_that_seeds_the_world_is_told_and_others_are_not_moved(rogues, run):
    np.random.seed(7)  # noqa: NPY002
    before = GENERATORS["NumPy's"]()
    with pytest.warns(PluginWarning, match="'seeding-score' of rogues 1.0 .* from NumPy's global"):
        found = score(run, ["seeding-score", "spread"])
    assert set(found) == {"seeding-score", "spread"}
    assert GENERATORS["NumPy's"]() == before


def test_sound_plugin_is_not_warned_of(rogues, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", PluginWarning)
        assert train("sound", "tiny", results=tmp_path, **SMALL).finished


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [("<0.2", False), (">=0.2,<0.3", True), (">=7", False), ("", True), ("; extra == 'x'", True)],
)
def test_distribution_for_another_contract_is_refused_before_it_is_imported(rogues, wanted, fits):
    install(rogues, "ancient", f"Requires-Dist: Disentangle_Bench{wanted}")
    if fits:
        assert registry.models.load("ancient")
        return
    with pytest.raises(DisentangleError) as caught:
        registry.models.load("ancient")
    message = f"model 'ancient' of ancients 1.0: it requires disentangle-bench {wanted}, but "
    assert message in str(caught.value)
    assert "rogues" not in sys.modules
    assert registry.models.load("sound")


def test_list_says_what_is_for_another_contract(rogues, command):
    install(rogues, "elder", "Requires-Dist: disentangle-bench<0.1")
    assert "NOT FOR THIS VERSION: it requires disentangle-bench <0.1" in command("list")[1]
    listed = json.loads(command("list", "--json")[1])["plugins"]
    assert [p["name"] for p in listed if p["unfit"]] == ["elder"]


def test_libraries_that_a_metric_imports_are_not_blamed_on_it():
    code = (
        "import warnings; warnings.simplefilter('error')\n"
        "import numpy as np, disentangle\n"
        "v = np.random.default_rng(0).integers(0, 3, (200, 2))\n"
        "disentangle.score_codes(v + 0.0, v, metrics=['explicitness', 'sap'])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
