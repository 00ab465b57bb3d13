"""The notebook of the examples: it runs from top to bottom, and is small in the repository."""

import asyncio
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "quickstart.ipynb"
SHRINK = (
    ('"chairs-parametric"', '"tiny"'),
    ("batch_size=32", 'batch_size=8, device="cpu"'),
    ("steps=3000", "steps=3"),
)

nbformat = pytest.importorskip("nbformat")


@pytest.fixture
def pages():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_notebook_is_small_and_has_no_outputs(pages):
    nbformat.validate(pages)
    assert NOTEBOOK.stat().st_size < 20_000
    for cell in pages.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def shown(cell):
    """The outputs of a cell by type: HTML, a picture or text."""
    kinds = ("text/html", "image/png", "text/plain")
    contents = [output.get("data", {}) for output in cell.outputs]
    return [next((kind for kind in kinds if kind in one), "stream") for one in contents]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq")
@pytest.mark.filterwarnings("ignore:Jupyter is migrating:DeprecationWarning")
def test_notebook_runs_from_top_to_bottom(pages, strangers, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    for cell in pages.cells:
        for large, small in SHRINK:
            cell.source = cell.source.replace(large, small)
    assert "chairs" not in "".join(c.source for c in pages.cells if c.cell_type == "code")
    client = nbclient.NotebookClient(
        pages, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    with asyncio.Runner() as runner:
        runner.run(client.async_execute())
    code = [cell for cell in pages.cells if cell.cell_type == "code"]
    by_start = {cell.source.partition("\n")[0].partition("(")[0]: shown(cell) for cell in code}
    assert by_start["dataset = disentangle.load_dataset"] == ["text/html"]
    train, run = by_start["run = disentangle.train"]
    assert (train, run) == ("text/plain", "text/html")  # one line of progress, and the run
    assert by_start["disentangle.tables"] == ["text/html"]
    assert by_start["figures.plot_traversals"] == ["image/png"]
    assert by_start["figures.plot_matrices"] == ["image/png"]
    assert (tmp_path / "codes.npz").exists()
    assert "stream" not in [kind for kinds in by_start.values() for kind in kinds]
