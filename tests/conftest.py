"""Set-up for all tests: one torch thread, separate folders, third-party test plugins installed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # for subprocesses too: faster on few cores
os.environ.pop("DISENTANGLE_DATA", None)

import filelock
import hypothesis
import pytest
import torch
from helpers.browsers import CHROMIUM, FLAGS

from disentangle.cli.app import main
from disentangle.contracts import entry_points, isolation
from disentangle.runs.external import External, ExternalRecord
from disentangle.runs.named import load_run
from disentangle.runs.run import Run
from disentangle.runs.score_records import Score, ScoreFile
from disentangle.runs.scores import read_scores
from disentangle.scoring.score_runs import score
from disentangle.training.train import train

torch.set_num_threads(1)
hypothesis.settings.register_profile("seeded", derandomize=True, deadline=None)
hypothesis.settings.load_profile("seeded")

HERE = Path(__file__).parent
TWIN = """Metadata-Version: 2.1
Name: twins
Version: 0.2
"""


def refresh() -> None:
    """Clear the caches of the registry, so that it reads the entry points again."""
    entry_points.installed.cache_clear()
    entry_points.entries_of.cache_clear()
    entry_points.required.cache_clear()
    isolation.homes.cache_clear()


@pytest.fixture(autouse=True)
def own_modules(tmp_path_factory):
    """Forget the modules that a test imports from its folder, as others have modules so named."""
    folders = str(tmp_path_factory.getbasetemp() / "test_")  # the beginning of each `tmp_path`
    before = set(sys.modules)
    yield
    sys.path[:] = [folder for folder in sys.path if not folder.startswith(folders)]
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(folders):
            del sys.modules[name]


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder shared by all workers of this test session."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", autouse=True)
def cache(shared_folder: Path) -> Path:
    """A separate cache folder for the tests and their subprocesses."""
    folder = shared_folder / "cache"
    os.environ["DISENTANGLE_CACHE"] = str(folder)
    return folder


def install(distribution: Path, shared_folder: Path) -> Path:
    """Install a distribution with pip into its own folder, once for all workers."""
    folder = shared_folder / distribution.name
    with filelock.FileLock(shared_folder / f"{distribution.name}.lock"):
        if not folder.exists():
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
            command += ["--no-build-isolation", "--target", str(folder), str(distribution)]
            subprocess.run(command, check=True)
    return folder


@pytest.fixture(scope="session")
def strangers_folder(shared_folder: Path) -> Path:
    """A folder with the distribution `strangers`, and `twins`, which registers the same name."""
    folder = install(HERE / "strangers", shared_folder)
    with filelock.FileLock(shared_folder / "twins.lock"):
        twins = folder / "twins-0.2.dist-info"
        if not twins.exists():
            twins.mkdir()
            (twins / "METADATA").write_text(TWIN)
            (twins / "entry_points.txt").write_text(
                "[disentangle.models]\ntwin = strangers.model:Duel\n"
            )
    return folder


@pytest.fixture(scope="session")
def rogues_folder(shared_folder: Path) -> Path:
    """A folder with the distribution `rogues`, whose plugins break their contracts."""
    return install(HERE / "rogues", shared_folder)


@contextmanager
def registered(folder: Path) -> Iterator[None]:
    """Register the plugins of a folder temporarily, for fixtures that outlive a test."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(folder))
            refresh()
            yield
    finally:
        refresh()


@pytest.fixture(scope="session")
def trained(strangers_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of beta-VAE on the dataset `tiny` of `strangers`; tests must not change it."""
    options = {"steps": 5, "batch_size": 8, "figures": False, "device": "cpu"}
    results = tmp_path_factory.mktemp("trained")
    with registered(strangers_folder):
        return train("beta-vae", "tiny", beta=2.0, results=results, **options)


@pytest.fixture
def run(trained: Run, strangers: Path, tmp_path: Path) -> Run:
    """A copy of the trained run, which a test may change."""
    return load_run(shutil.copytree(trained.path, tmp_path / "run"))


@pytest.fixture(scope="session")
def template(
    trained: Run, strangers_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Score:
    """The record of a score of the trained run, for tests to change."""
    run = load_run(shutil.copytree(trained.path, tmp_path_factory.mktemp("scored") / "run"))
    with registered(strangers_folder):
        score(run, ["mig"])
    return read_scores(run)[0]


@pytest.fixture
def variant(run: Run, template: Score, tmp_path: Path) -> Callable[..., Run]:
    """A function that creates copies of the run with other records and scores."""

    def make(name, seed=0, values=(), knobs=None, finished=True, record=None, **dataset):
        path = tmp_path / "variants" / name
        path.mkdir(parents=True)
        training = dict(run.record.training)
        training["seed"] = training["seed"].model_copy(update={"value": seed})
        settings = dict(run.record.settings)
        for knob, value in (knobs or {}).items():
            settings[knob] = settings[knob].model_copy(update={"value": value, "origin": "given"})
        made = Run(path, run.record)
        made.save_record(
            training=training,
            settings=settings,
            dataset=run.record.dataset.model_copy(update=dataset),
            finished=run.record.finished if finished else None,
            **(record or {}),
        )
        scores = tuple(template.model_copy(update=changes) for changes in values)
        (path / "scores.json").write_text(ScoreFile(scores=scores).model_dump_json())
        return made

    return make


@pytest.fixture
def external(run: Run, template: Score, tmp_path: Path) -> Callable[..., External]:
    """A function that writes external encoders with scores, beside the runs of `variant`."""

    def make(name, seed=None, values=(), kind="encoder", **dataset):
        record = ExternalRecord(
            kind=kind,
            name=name,
            seed=seed,
            origin={"reference": f"{name}.py:encode"},
            latents=2,
            codes="codes 0" if kind == "codes" else "",
            dataset=run.record.dataset.model_copy(update=dataset),
            created="2026-01-02T03:04:05+00:00",
            packages={},
        )
        made = External(tmp_path / "variants" / "external" / record.id, record)
        made.path.mkdir(parents=True)
        made.save_record()
        own = {"weights": record.id, "fingerprint": record.dataset.fingerprint}
        scores = tuple(template.model_copy(update={**own, **changes}) for changes in values)
        (made.path / "scores.json").write_text(ScoreFile(scores=scores).model_dump_json())
        return made

    return make


@pytest.fixture
def strangers(strangers_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plugins of `strangers`, registered in this process and in subprocesses."""
    monkeypatch.syspath_prepend(str(strangers_folder))
    monkeypatch.setenv("PYTHONPATH", str(strangers_folder), prepend=os.pathsep)
    refresh()
    yield strangers_folder
    monkeypatch.undo()
    refresh()


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """A function that runs a command in an empty folder: (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("disentangle.cli.app.exit_at_once", sys.exit)
    # Take the program's name from sys.argv even if pytest was started by `python -m`.
    monkeypatch.setattr(sys.modules["__main__"], "__package__", None, raising=False)

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["disentangle", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as stopped:
            code = stopped.code or 0
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return run


@pytest.fixture(scope="module")
def browser():
    """A Chromium for the tests of a module."""
    from playwright import sync_api as playwright

    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """A function that opens a file; checks for no console output and no other requests."""
    messages, requests, contexts = [], [], []

    def go(path, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.resolve().as_uri())
        return page

    yield go
    for context in contexts:
        context.close()
    assert messages == []
    assert {url.partition(":")[0] for url in requests} <= {"file", "data", "blob"}
    assert all(url.endswith(".html") for url in requests if url.startswith("file:"))
