"""Tables in every format: the same numbers, and nothing that a hostile name can break."""

import csv
import io
import json
import math
import shutil
import subprocess
import sys

import pytest
from helpers.table_texts import texts

from disentangle import __version__
from disentangle.errors import UsageError
from disentangle.score_tables.build import make_tables
from disentangle.score_tables.export import (
    FORMATS,
    as_csv,
    as_json,
    as_latex,
    as_long_csv,
    as_markdown,
    format_of,
)
from disentangle.score_tables.published import known_papers, papers_on
from disentangle.score_tables.statistics import summarise

VALUES = (0.2, 0.25, 0.3, 0.35, 0.9)


@pytest.fixture
def tables(variant):
    runs = [
        variant(
            f"{beta}-{seed}", seed=seed, values=[{"value": value * scale}], knobs={"beta": beta}
        )
        for beta, scale in ((1.0, 0.1), (9.0, 1.0))
        for seed, value in enumerate(VALUES)
    ]
    return make_tables([*runs, variant("bad", record={"failed": "kl"}, finished=False)])


def test_markdown_marks_the_best_and_aligns_numbers(tables):
    text = as_markdown(tables)
    low, high = summarise(VALUES).interval
    assert f"**0.400 ± 0.285 [{low:.3f}, {high:.3f}]**" in text
    assert "-: |" in text
    assert "Bold: differs significantly" in text
    assert text.splitlines()[-1].startswith(f"disentangle {__version__}")


def test_wide_csv_has_a_row_a_configuration_and_every_summary(tables):
    rows = {row["knob beta"]: row for row in csv.DictReader(io.StringIO(as_csv(tables)))}
    found, known = rows["9.0"], summarise(VALUES)
    for name, value in {**known.averages, "sd": known.sd}.items():
        assert float(found[f"mig {name}"]) == pytest.approx(value)
    assert (float(found["mig low"]), float(found["mig high"])) == known.interval
    assert (found["mig n"], found["failed"], rows["2.0"]["failed"]) == ("5", "0", "1")


def test_json_has_every_value_and_what_a_column_means(tables):
    (table,) = json.loads(as_json(tables))["tables"]
    (column,) = table["columns"]
    assert (column["score"], column["protocol"], column["seed"]) == ("mig", "locatello2019", 0)
    row = next(row for row in table["rows"] if row["settings"]["beta"] == 9.0)
    assert tuple(row["scores"]["mig"]["values"]) == VALUES
    assert row["scores"]["mig"]["best"]


@pytest.mark.parametrize("name", FORMATS)
def test_hostile_name_is_only_a_name(variant, name):
    hostile = "<script>alert(1)</script>|%&_#\\x{"
    (table,) = make_tables([variant("a", values=[{"value": 0.5}], record={"model": hostile})])
    text = FORMATS[name]([table])
    if name == "markdown":
        assert "<script>" not in text
        assert "\\|%&_#" in text
    if name == "latex":
        assert r"$<$script$>$alert(1)$<$/script$>$$|$\%\&\_\#\textbackslash{}x\{" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_compiles(tables, tmp_path):
    tables[0].papers = tuple(papers_on("dsprites"))
    packages = r"\usepackage[T1]{fontenc}\usepackage{booktabs,xcolor}"
    body = (
        rf"\documentclass{{article}}{packages}\begin{{document}}{as_latex(tables)}\end{{document}}"
    )
    (tmp_path / "t.tex").write_text(body)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout[-2000:]


def test_pandas_gets_the_records(tables, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="pip install pandas"):
        tables[0].to_pandas()

    class Pandas:
        DataFrame = list

    monkeypatch.setitem(sys.modules, "pandas", Pandas)
    assert tables[0].to_pandas() == tables[0].records()


def test_files_name_means_its_format(tmp_path):
    assert format_of(tmp_path / "a.tex") == "latex"
    with pytest.raises(UsageError, match=r"file name that ends with one of \.md, \.tex"):
        format_of(tmp_path / "a.xls")


def test_papers_are_marked_and_stand_below(tables):
    tables[0].papers = tuple(papers_on("dsprites"))
    text = as_markdown(tables)
    ours, _, published = text.partition("as published")
    assert "99.23" not in ours
    assert "99.23" in published
    assert "do not rank them" in published
    assert papers_on("tiny") == []


def test_papers_say_source_and_protocol():
    for paper in known_papers():
        assert paper.link.startswith("https://")
        assert len(paper.protocol) > 40
        assert all(row.scores for row in paper.rows)


def test_one_heading_of_the_wide_csv_means_one_thing(variant):
    runs = [
        variant("a", values=[{"value": 0.1}]),
        variant("b", values=[{"value": 0.2, "protocol": "disjoint"}], fingerprint="f" * 64),
    ]
    rows = list(csv.DictReader(io.StringIO(as_csv(make_tables(runs)))))
    names = [name for name in rows[0] if name.startswith("mig") and name.endswith("mean")]
    assert len([name for name in names if "locatello2019" in name]) == 1
    assert len([name for name in names if "disjoint" in name]) == 1
    assert len(names) == 2


def test_long_csv_says_what_each_run_was_trained_on(variant):
    view = {"correlate": ("side,x=0.2",)}
    runs = [variant("a", values=[{"value": 0.1}]), variant("b", values=[{"value": 0.2}], view=view)]
    rows = list(csv.DictReader(io.StringIO(as_long_csv(runs))))
    assert [row["part"] for row in rows] == ["", "correlated side,x=0.2"]
    assert {row["view"] for row in rows} == {""}


def test_long_csv_has_the_runs_own_scores_once(variant):
    scores = [{"value": 0.1}, {"value": 9.0, "weights": "0" * 64}]
    run = variant("a", values=scores)
    lines = as_long_csv([run, run]).splitlines()
    assert len(lines) == 2
    assert ",0.1," in lines[1]
    assert len(as_long_csv([run], []).splitlines()) == 1


def test_what_is_not_finite_is_no_value(variant):
    runs = [variant(f"s{i}", seed=i, values=[{"value": v}]) for i, v in enumerate((0.5, math.nan))]
    tables = make_tables(runs)
    assert texts(tables[0])[0][-1] == "0.500 (1 of 2 runs)"
    assert "the score is not finite" in tables[0].caption
    assert "NaN" not in as_json(tables)


@pytest.mark.parametrize("name", ["[bracket", "*star* `x`", "\x07bell", "caf\u00e9 \u4e2d"])
def test_odd_names_break_neither_markdown_nor_latex(variant, name):
    tables = make_tables([variant("a", values=[{"value": 0.5}], record={"model": name})])
    text = as_latex(tables)
    assert "\n[" not in text
    assert "\x07" not in text + as_markdown(tables)
    assert ("caf\u00e9 ?" in text) == ("caf" in name)
    assert ("\\*star\\*" in as_markdown(tables)) == ("star" in name)
