"""Score tables in HTML: self-contained, and hostile names are escaped."""

from disentangle.reports.html import tables_page
from disentangle.score_tables.build import make_tables
from disentangle.score_tables.published import papers_on


def test_page_of_tables_is_whole_in_itself_and_has_the_papers_too(variant):
    runs = [
        variant(f"{beta}-{seed}", seed=seed, values=[{"value": value}], knobs={"beta": beta})
        for beta, values in ((1.0, (0.1, 0.12, 0.11, 0.13, 0.14)), (9.0, (0.3, 0.4, 0.5, 0.6, 0.7)))
        for seed, value in enumerate(values)
    ]
    tables = make_tables(runs)
    page = tables_page(tables)
    assert page.startswith("<!doctype html>")
    assert not any(part in page for part in ("http:", "https:", "<script", "<link rel=style"))
    assert "<strong>0.500" in page
    assert page.count("<tr") == 3
    tables[0].papers = tuple(papers_on("dsprites"))
    assert tables_page(tables).count("<table") == 1 + len(tables[0].papers)


def test_metric_is_named_once_above_its_columns(variant):
    own = [{"value": 0.2, "knobs": {"bins": bins}} for bins in (10, 40)]
    page = tables_page(make_tables([variant("a", values=own)]))
    assert (
        '<th scope="colgroup" class="metric" data-group="5" colspan="2"><span>mig</span></th>'
        in page
    )
    assert '<th scope="col" rowspan="2" data-column="0">model</th>' in page
    for column, term in ((5, "bins=10"), (6, "bins=40")):
        cell = f'data-column="{column}" class="number"><span class="terms">{term}</span></th>'
        assert cell in page


def test_interval_follows_its_mean_and_one_is_enough_for_both_to_be_bold(variant):
    page = tables_page(
        make_tables(
            variant(f"{beta}-{seed}", seed=seed, values=[{"value": value}], knobs={"beta": beta})
            for beta, first in ((1.0, 0.1), (9.0, 0.5))
            for seed, value in enumerate(first + 0.01 * i for i in range(5))
        )
    )
    assert '<strong>0.520 ± 0.016 <span class="interval">[0.' in page


def test_hostile_name_is_only_a_name(variant):
    hostile = "<script>alert(1)</script>"
    page = tables_page(make_tables([variant("a", values=[{}], record={"model": hostile})]))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
