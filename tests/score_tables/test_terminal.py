"""Tables in terminals of any width."""

import re
from itertools import combinations, product

from hypothesis import given
from hypothesis import strategies as st

from disentangle.score_tables.headings import metric_of
from disentangle.score_tables.heads import Head
from disentangle.score_tables.render import Sheet, Text, said
from disentangle.score_tables.terminal import by_importance, lay_out

NUMBER = re.compile(r"(?<![\w.-])-?\d+\.\d{3}(?![\w.])")
MODELS = ["beta-vae", "beta-tcvae", "ada-gvae", "a-model-of-a-long-name"]
SETTINGS = ["beta=4.0", "alpha=1.0, beta=16.0, gamma=1.0, estimator=mws", "-"]
SCORES = [
    "beta-vae-score",
    "dci-lgbm/completeness [disjoint; mean]",
    "dci-lgbm/completeness [locatello2019; mean]",
    "dci-lgbm/informativeness",
    "elbo/bits-per-dimension [samples=10000]",
    "mig",
    "mig, corrected",
    "sap [metric seed 5]",
]
VALUE = st.floats(-999, 999).map("{:.3f}".format)
CELL = st.one_of(
    VALUE,
    st.tuples(VALUE, VALUE).map("{0[0]} ± {0[1]}".format),
    st.tuples(VALUE, VALUE, VALUE, VALUE).map("{0[0]} ± {0[1]} [{0[2]}, {0[3]}]".format),
    st.lists(VALUE, min_size=2, max_size=4).map(lambda v: f"{v[0]} ({', '.join(v)})"),
    st.just(""),
)


@st.composite
def sheets(draw):
    """Tables with and without constant columns, and rows of baselines."""
    head = draw(st.lists(st.sampled_from(SCORES), min_size=1, unique=True))
    rows = []
    for i in range(draw(st.integers(1, 9))):
        trained = draw(st.booleans())
        left = [draw(st.sampled_from(SETTINGS)), "by hand", draw(st.sampled_from(["5", "3,000"]))]
        cells = draw(st.lists(CELL, min_size=len(head), max_size=len(head)))
        left = left if trained else [""] * 3
        rows.append(
            [Text(text) for text in [f"{draw(st.sampled_from(MODELS))}-{i}", *left, *cells]]
        )
    heads = ["model", "settings", "chosen", "steps", *head]
    two_rows = tuple(map(divided, head)) if draw(st.booleans()) else ()
    caption = "A caption of 17 of 100 words."
    return Sheet("dsprites", heads, rows, caption, len(head), names=2, heads=two_rows)


def divided(heading):
    """A heading in two rows."""
    score, _, terms = heading.partition(" [")
    metric, _, part = score.removesuffix(", corrected").partition("/")
    return Head(score, metric, part, tuple(terms.removesuffix("]").split("; ")) if terms else ())


def numbers_of(sheet):
    """Heading -> the numbers in its column."""
    first = len(sheet.head) - sheet.numbers
    return {
        sheet.head[i]: NUMBER.findall(" ".join(row[i].text for row in sheet.body))
        for i in range(first, len(sheet.head))
    }


@given(sheets(), st.integers(40, 250))
def test_every_number_is_whole_or_its_column_is_counted_as_left_out(sheet, width):
    text = "\n".join(lay_out(sheet, width))
    sentence = re.search(r"Columns not shown at this width: (.*?)\. Add", " ".join(text.split()))
    left_out = dict(re.findall(r"(\S+) \((\d+)\)", sentence[1])) if sentence else {}
    columns: dict[str, list[list[str]]] = {}
    for heading, numbers in numbers_of(sheet).items():
        columns.setdefault(metric_of(heading), []).append(numbers)
    kept = [
        combinations(own, len(own) - int(left_out.get(metric, 0)))
        for metric, own in columns.items()
    ]
    shown = sorted(NUMBER.findall(text))
    assert any(
        shown == sorted(number for own in choice for numbers in own for number in numbers)
        for choice in product(*kept)
    )
    assert "…" not in text


@given(sheets(), st.integers(40, 250))
def test_no_line_is_wider_than_the_terminal(sheet, width):
    assert max(map(len, lay_out(sheet, width))) <= width


@given(sheets(), st.integers(40, 250))
def test_every_row_is_named_in_full(sheet, width):
    words = set("\n".join(lay_out(sheet, width)).split())
    first = len(sheet.head) - sheet.numbers
    for row in sheet.body:
        if len({cell.text for cell in row[first:]}) > 1 or row[first].text:
            assert row[0].text in words


def sheet_of(rows, head, **about):
    return Sheet(
        "dsprites", head, [[Text(cell) for cell in row] for row in rows], "Caption.", **about
    )


LEFT = ["model", "settings", "chosen", "steps"]
TWO = [
    ["beta-vae", "beta=4.0", "by hand", "3,000", "0.763", "0.574", "0.167"],
    ["beta-vae", "beta=16.0", "by hand", "3,000", "0.743", "0.512", "0.188"],
]
SCORED = sheet_of(TWO, [*LEFT, "beta-vae-score", "factor-vae-score", "mig"], numbers=3, names=2)


def test_table_that_fits_is_shown_as_it_is():
    assert lay_out(SCORED, 90)[2:6] == [
        "model     settings   chosen   steps  beta-vae-score  factor-vae-score    mig",
        "────────  ─────────  ───────  ─────  ──────────────  ────────────────  ─────",
        "beta-vae  beta=4.0   by hand  3,000           0.763             0.574  0.167",
        "beta-vae  beta=16.0  by hand  3,000           0.743             0.512  0.188",
    ]


def test_metric_is_named_once_above_its_columns():
    rows = [["a-model", "beta=4.0", "0.100", "0.200 ± 0.010", "0.300", "0.400"]]
    texts = ["dci/completeness [disjoint]", "dci/informativeness", "mig", "mig [bins=10; sample]"]
    heads = tuple(map(divided, texts))
    sheet = sheet_of(rows, ["model", "settings", *texts], numbers=4, names=2, heads=heads)
    assert lay_out(sheet, 90)[2:6] == [
        "                   ───────────────── dci ──────────────────  ──────── mig ─────────",
        "model    settings  completeness [disjoint]  informativeness    mig  bins=10; sample",
        "───────  ────────  ───────────────────────  ───────────────  ─────  ───────────────",
        "a-model  beta=4.0                    0.100    0.200 ± 0.010  0.300            0.400",
    ]


def test_name_of_a_metric_has_room_above_its_columns():
    heads = tuple(Head(f"x/{part}", "extraordinarily-long", part) for part in "ab")
    sheet = sheet_of([["m", "1", "2"]], ["model", "x/a", "x/b"], numbers=2, heads=heads)
    assert lay_out(sheet, 30)[2:6] == [
        "       extraordinarily-",
        "       ───── long ─────",
        "model  a              b",
        "─────  ─  ─────────────",
    ]


def test_constant_columns_are_the_first_to_go():
    assert lay_out(SCORED, 50)[2:] == [
        "model     settings   beta-vae-    factor-    mig",
        "                         score  vae-score",
        "────────  ─────────  ─────────  ─────────  ─────",
        "beta-vae  beta=4.0       0.763      0.574  0.167",
        "beta-vae  beta=16.0      0.743      0.512  0.188",
        "",
        "All trained models: settings chosen by hand; 3,000",
        "steps. Caption.",
    ]


def test_constant_columns_are_read_as_a_sentence():
    texts = {
        ("chosen", "by hand"): "settings chosen by hand",
        ("chosen", "default"): "default settings",
        ("chosen", "preset higgins2017, changed"): "preset higgins2017, changed",
        ("steps", "3,000"): "3,000 steps",
        ("steps", "imported"): "imported",
        ("seeds", "1"): "1 seed",
        ("seeds", "3 (+1 failed)"): "3 seeds (+1 failed)",
        ("settings", "beta=4.0"): "settings beta=4.0",
    }
    assert {key: said(*key) for key in texts} == texts


def test_scores_become_rows_next():
    assert lay_out(SCORED, 34)[2:9] == [
        "               beta-vae   beta-vae",
        "               beta=4.0  beta=16.0",
        "─────────────  ────────  ─────────",
        "beta-vae-         0.763      0.743",
        "score",
        "factor-vae-       0.574      0.512",
        "score",
    ]


def test_metrics_become_blocks_where_there_are_many_rows():
    rows = [["a-model", str(i), *(f"0.{i}{j}0" for j in range(4))] for i in range(9)]
    head = ["model", "settings", "dci/completeness", "dci/informativeness", "mig", "sap"]
    lines = lay_out(sheet_of(rows, head, numbers=4, names=2), 50)
    assert lines[2] == "model    settings          dci/             dci/"
    assert lines[3] == "                   completeness  informativeness"
    assert "model    settings    mig    sap" in lines
    assert "a-model  8         0.820  0.830" in lines


def test_columns_that_do_not_fit_are_counted_and_the_fullest_are_kept():
    rows = [["a-model", str(i), "0.100" if i else "", "0.200", "0.3"] for i in range(9)]
    head = ["model", "settings", "mig [bins=10; mean]", "mig [default; mean]", "sap"]
    text = " ".join(lay_out(sheet_of(rows, head, numbers=3, names=2), 32))
    assert "Columns not shown at this width: mig (1). Add `--columns 'mig*'` to" in text
    assert "0.100" not in text


def test_every_column_of_a_single_metric_is_shown():
    rows = [["a-model", str(i), "0.100" if i else "", "0.200"] for i in range(9)]
    head = ["model", "settings", "mig [bins=10; mean]", "mig [default; mean]"]
    text = " ".join(lay_out(sheet_of(rows, head, numbers=2, names=2), 32))
    assert "not shown" not in text
    assert text.count("0.100") == 8
    assert text.count("0.200") == 9


def test_rows_of_baselines_do_not_repeat_without_scores():
    rows = [
        ["noise", "", "", "0.200"],
        *(["a-model", str(i), "0.1 ± 0.2", "0.3 ± 0.4"] for i in range(9)),
    ]
    sheet = sheet_of(rows, ["model", "settings", "elbo/total-of-all", "mig"], numbers=2, names=2)
    lines = lay_out(sheet, 36)
    assert sum(line.startswith("noise") for line in lines) == 1
    assert sum(line.startswith("a-model  8") for line in lines) == 2


def test_bold_and_grey_cells_are_styled_in_every_layout():
    rows = [[Text("a"), Text("0.100", strong=True)], [Text("b"), Text("0.200", grey=True)]]
    sheet = Sheet("data", ["model", "mig"], rows, "", 1)
    for width in (40, 12, 4):
        text = "\n".join(lay_out(sheet, width, lambda t: f"<{t.text}>" if t.strong else t.text))
        assert "<0.100>" in text
        assert "<0.200>" not in text


def test_default_column_of_a_score_comes_before_its_variants():
    heads = [
        "mig [bins=10; locatello2019; mean; all factors]",
        "mig [default; disjoint; sample; all factors]",
        "mig [default; locatello2019; mean; all factors]",
    ]
    sheet = Sheet("t", ["model", *heads], [[Text("vae"), *map(Text, ("0.1", "0.2", "0.3"))]], "", 3)
    assert by_importance(sheet, [1, 2, 3]) == [3, 1, 2]


def test_row_with_values_in_left_out_columns_only_is_still_named():
    heads = [f"mig [bins={bins}; mean; all factors]" for bins in (10, 20, 30)]
    cell = "0.100 ± 0.001"
    rows = [[f"vae-{i}", "beta=4.0, gamma=10.0", cell, cell, "", "0.2"] for i in range(9)]
    rows.append(["vae-9", "beta=4.0, gamma=10.0", "", "", cell, ""])
    body = [[Text(text) for text in row] for row in rows]
    sheet = Sheet("t", ["model", "settings", *heads, "sap"], body, "", 4, names=2)
    texts = {width: "\n".join(lay_out(sheet, width)) for width in range(30, 60)}
    hiding = [text for text in texts.values() if cell not in text.partition("vae-9")[2]]
    assert hiding
    assert all("vae-9" in text for text in hiding)
