"""Plugins that misbehave: each is told by whose it is, and leaves the others working."""

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from conftest import refresh

from disentangle.contracts import registry
from disentangle.contracts.isolation import GENERATORS
from disentangle.errors import DisentangleError, PluginWarning
from disentangle.runs.scores import read_scores
from disentangle.scoring.score_runs import score
from disentangle.studies.plan import load_plan
from disentangle.studies.process import AGAIN, FINAL
from disentangle.training.train import train

ROGUES = '''
"""Plugins that nobody should write."""

import numpy as np
import torch

from disentangle.contracts.dataset import Dataset, Labelled
from disentangle.errors import Unavailable
from disentangle.studies.executor import Executor
from disentangle.contracts.metric import Detail, Metric
from disentangle.contracts.model import Model
from disentangle.contracts.plugin import knob


class Sound(Model):
    """A VAE, but for what the others do."""

    def before(self):
        """Nothing."""

    def terms(self, batch):
        """Return the two terms."""
        self.before()
        q = self.encode(batch.x)
        return {
            "reconstruction": self.reconstruction(batch.x, q.sample(batch.rng)),
            "kl": q.kl().sum(1).mean(),
        }


class Raising(Sound):
    """It raises in training."""

    def before(self):
        raise RuntimeError("no such luck")


class Mistyped(Sound):
    """Its code is wrong, and will be the next time."""

    def before(self):
        len(3)


class Unbuildable(Sound):
    """It raises when it is built."""

    def build(self, image_shape):
        raise RuntimeError("no such layer")


class Chatty(Sound):
    """It prints in training."""

    def before(self):
        print("look at me", end="!\\n")


class Seeding(Sound):
    """It seeds the world in training."""

    def before(self):
        torch.manual_seed(0)


class Vector(Sound):
    """Its term is a vector."""

    def terms(self, batch):
        return {"kl": self.encode(batch.x).kl().sum(1)}


class Numbered(Sound):
    """Its terms have no names."""

    def terms(self, batch):
        return dict(enumerate(super().terms(batch).values()))


class Tuple(Sound):
    """Its code is none."""

    def encode(self, x):
        q = super().encode(x)
        return q.mean, q.log_variance


class Narrow(Sound):
    """Its images are smaller."""

    def decode(self, z):
        return super().decode(z)[..., 1:]


class Detached(Sound):
    """Nothing learns from its loss."""

    def terms(self, batch):
        return {"kl": self.encode(batch.x).kl().sum(1).mean().detach()}


class Leaver(Sound):
    """It ends the process in training."""

    def before(self):
        raise SystemExit(0)


class Bare(Model):
    """It has no terms."""


class WrongKnob(Sound):
    """Its knob's default is out of its bounds."""

    w: float = knob(default=-1.0, min=0, help="what it weighs")


class Infinite(Sound):
    """Its loss is not finite."""

    def terms(self, batch):
        return {"loss": self.encode(batch.x).mean.sum() / 0}


class Clashing(Sound):
    """Its knob is called like an option of the command."""

    steps: int = knob(default=1, help="nothing")


class Dots(Labelled):
    """One dot in each of 60 images; `wrong` is the index of an image that breaks the contract."""

    image_shape = (1, 64, 64)
    fingerprint = "d" * 64
    source = "drawn"
    every_factor = {"x": 3, "y": 4}
    nuisance = frozenset()
    values = {}

    def __init__(self, wrong_label=None, wrong_image=None):
        self.wrong_label, self.wrong_image = wrong_label, wrong_image

    def __len__(self):
        return 60

    def every_label(self, index):
        index = self._index(index)
        labels = np.stack([index % 3, index % 4], 1)
        labels[index == self.wrong_label] = 9
        return labels

    def images(self, index):
        index = self._index(index)
        images = torch.zeros((len(index), 1, 64, 64), dtype=torch.uint8)
        images[torch.arange(len(index)), 0, torch.as_tensor(index), 0] = 255
        return images.float() / 255 if (index == self.wrong_image).any() else images


class SeedingDots(Dots):
    """It seeds the world when it is read."""

    def images(self, index):
        np.random.seed(0)
        return super().images(index)


def seeding_images(location):
    """Its images are drawn after a seed."""
    return SeedingDots()


def unread(location):
    """Its file is not there."""
    return open("/nowhere/images.npz")


def last_label(location):
    """The label of its last image is none."""
    return Dots(wrong_label=59)


def some_label(location):
    """The label of one image is none."""
    return Dots(wrong_label=1)


def some_image(location):
    """One image is none of bytes."""
    return Dots(wrong_image=1)


class Wide(Executor):
    """It does not know how many jobs it runs."""

    def width(self, device):
        return "many"

    def run(self, jobs, device):
        yield None


class Mumbling(Wide):
    """It yields no events."""

    def width(self, device):
        return 1

    def run(self, jobs, device):
        yield "done"


class Leaving(Metric[Dataset]):
    """It ends the process."""

    def score(self, source, rng):
        raise SystemExit(3)


class Misnamed(Metric[Dataset]):
    """Its number would stand in another metric's column."""

    def score(self, source, rng):
        return {"mig": 1.0}


class Empty(Metric[Dataset]):
    """It has no score."""

    def score(self, source, rng):
        return {}


class Listed(Metric[Dataset]):
    """Its scores have no names."""

    def score(self, source, rng):
        return [1.0]


class Broad(Metric[Dataset]):
    """Its detail has another size than there are latents."""

    def score(self, source, rng):
        return {"broad": 1.0, "broad/each": Detail(("latent",), np.zeros(99))}


class Silent(Metric[Dataset]):
    """It does not say why."""

    def score(self, source, rng):
        return {"silent": Unavailable()}


class SeedingScore(Metric[Dataset]):
    """It seeds the world."""

    def score(self, source, rng):
        np.random.seed(0)
        return {"seeding-score": 1.0}
'''
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}"
STEPS = ["--steps", "3", "--batch-size", "8", "--device", "cpu", "--no-figures"]
SMALL = {"steps": 3, "batch_size": 8, "figures": False, "device": "cpu"}


def install(folder, name, entries, more="", version="1.0"):
    """Write what a package manager leaves of a distribution."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA.format(name=name, version=version, more=more))
    (info / "entry_points.txt").write_text(entries)


@pytest.fixture
def rogues(strangers, tmp_path, monkeypatch):
    """A folder on the path, with a distribution of rogues in it; others may be put beside it."""
    folder = tmp_path / "site"
    install(
        folder,
        "rogues",
        "[disentangle.models]\n"
        "raising = rogues:Raising\nmistyped = rogues:Mistyped\nunbuildable = rogues:Unbuildable\n"
        "chatty = rogues:Chatty\nseeding = rogues:Seeding\nsound = rogues:Sound\n"
        "vector = rogues:Vector\nbare = rogues:Bare\nwrong-knob = rogues:WrongKnob\n"
        "numbered = rogues:Numbered\ntuple = rogues:Tuple\nnarrow = rogues:Narrow\n"
        "detached = rogues:Detached\n"
        "leaver = rogues:Leaver\ninfinite = rogues:Infinite\nclashing = rogues:Clashing\n"
        "[disentangle.datasets]\n"
        "unread = rogues:unread\nlast-label = rogues:last_label\n"
        "seeding-images = rogues:seeding_images\n"
        "some-label = rogues:some_label\nsome-image = rogues:some_image\n"
        "[disentangle.executors]\nwide = rogues:Wide\nmumbling = rogues:Mumbling\n"
        "[disentangle.metrics]\n"
        "seeding-score = rogues:SeedingScore\nleaving = rogues:Leaving\n"
        "misnamed = rogues:Misnamed\nempty = rogues:Empty\nlisted = rogues:Listed\n"
        "broad = rogues:Broad\nsilent = rogues:Silent\n",
    )
    (folder / "rogues.py").write_text(ROGUES)
    monkeypatch.syspath_prepend(str(folder))
    refresh()
    yield folder
    monkeypatch.undo()
    sys.modules.pop("rogues", None)
    refresh()


@pytest.mark.parametrize(
    ("model", "message", "where"),
    [
        ("raising", "failed: RuntimeError: no such luck (rogues.py, line ", ", in before)"),
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
        ("numbered", "cannot be trained: a term is called 0, which is no text"),
        ("vector", "cannot be trained: term 'kl' is [8], no scalar: take its mean"),
        ("tuple", "cannot be trained: encode() returned tuple: it is to be a Posterior"),
        (
            "narrow",
            "cannot be trained: decode() gave [2, 1, 64, 63], and not images [2, 1, 64, 64]",
        ),
        ("detached", "cannot be trained: no gradient reaches its terms"),
        ("bare", "has no method terms(), which its contract needs"),
        ("wrong-knob", "has an invalid knob: w must be a finite number at least 0; got -1.0"),
    ],
)
def test_model_that_breaks_its_contract_is_named(rogues, command, model, message):
    code, out, err = command("train", model, "tiny", *STEPS)
    assert (code, out) == (1, "")
    assert f"error: model '{model}' of rogues 1.0 {message}" in err


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("misnamed", "score 'mig' is not called 'misnamed' or 'misnamed/part'"),
        ("empty", "score() returned no score"),
        ("listed", "score() returned list, and no scores by name"),
        ("broad", "detail 'broad/each' along latent is [99], and not [10]"),
    ],
)
def test_metric_that_breaks_its_contract_costs_the_others_nothing(rogues, run, metric, message):
    with pytest.raises(DisentangleError) as caught:
        score(run, [metric, "spread"])
    assert f"metric '{metric}' of rogues 1.0: {message}" in str(caught.value)
    assert [s.name for s in read_scores(run)] == ["spread"]


def test_metric_that_does_not_say_why_is_told_so(rogues, run):
    assert score(run, ["silent"]).unavailable == {"silent": "its metric does not say why"}


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
    assert "it cannot be timed: model 'leaver' of rogues 1.0 failed: SystemExit: 0" in err


def test_run_whose_model_is_not_installed_any_more_says_what_to_install(rogues, command, tmp_path):
    code, out, _ = command("train", "sound", "tiny", *STEPS)
    (rogues / "rogues-1.0.dist-info" / "entry_points.txt").write_text("")
    refresh()
    code, _, err = command("traverse", out.strip())
    assert code == 1
    assert "no model 'sound'" in err
    assert "it was trained with that of rogues 1.0: install it" in " ".join(err.split())


def test_loss_that_is_not_finite_is_told_with_its_distribution(rogues, command):
    code, _, err = command("train", "infinite", "tiny", *STEPS)
    assert code == 1
    assert "'loss' is not finite at step 1" in err
    assert "training of model 'infinite' of rogues 1.0 stopped: " in err


def test_knob_that_is_called_like_an_option_is_told(rogues, command):
    code, _, err = command("train", "clashing", "tiny", *STEPS)
    assert code == 1
    assert "model 'clashing' of rogues 1.0 has an invalid knob: " in err
    assert "uses the name 'steps'" in err


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("unread", "/nowhere/images.npz: No such file or directory (asked for by dataset 'unread'"),
        ("last-label", "expected labels of 'x' from 0 to 2, got 9"),
        ("some-image", "gave 8 images of torch.float32 for 8: they are to be uint8"),
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


@pytest.mark.parametrize(
    ("executor", "message"),
    [
        ("wide", "rogues:Wide.width() returned 'many', which is no number of jobs at a time"),
        ("mumbling", "rogues:Mumbling.run() yielded 'done', and no Event"),
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
    assert "WARNING: model 'chatty' of rogues 1.0 printed: look at me!" in err


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
    install(
        rogues,
        "ancients",
        "[disentangle.models]\nancient = rogues:Sound\n",
        f"Requires-Dist: Disentangle_Bench{wanted}\n",
    )
    refresh()
    if fits:
        assert registry.models.load("ancient")
        return
    with pytest.raises(DisentangleError) as caught:
        registry.models.load("ancient")
    said = f"model 'ancient' of ancients 1.0: it needs disentangle-bench {wanted}, but"
    assert said in str(caught.value)
    assert "rogues" not in sys.modules
    assert registry.models.load("sound")


def test_list_says_what_is_for_another_contract(rogues, command):
    install(
        rogues,
        "elders",
        "[disentangle.models]\nelder = rogues:Sound\n",
        "Requires-Dist: disentangle-bench<0.1\n",
    )
    refresh()
    assert "NOT FOR THIS VERSION: it needs disentangle-bench <0.1" in command("list")[1]
    listed = json.loads(command("list", "--json")[1])["plugins"]
    assert [p["name"] for p in listed if p["unfit"]] == ["elder"]
