"""Tables in LaTeX that can be pasted into a paper."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disentangle.contracts import registry
from disentangle.contracts.descriptions import describe
from disentangle.score_tables.build import make_tables
from disentangle.score_tables.export import as_latex
from disentangle.score_tables.latex import PAGE, halves, latex, latex_number, latex_text
from disentangle.score_tables.published import papers_on
from disentangle.score_tables.render import Sheet, Text

BREAKS = re.compile(r"(?<!\\)((?:\\\\)*)[&%$#_{}]")


def check(code):
    """Check that braces are balanced, that maths is closed, and that rows have their cells."""
    lines = [line for line in code.splitlines() if not line.startswith("%")]
    text = "\n".join(lines)
    plain = re.sub(r"\\[\\&%$#_{}]", "", text.replace(r"\\", ""))
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    assert not re.search("[^\x00-\u017f]", text)
    for columns, body in re.findall(
        r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", text, re.DOTALL
    ):
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert rows
        for row in rows:
            spanned = sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", row))
            assert len(re.findall(r"(?<!\\)&", row)) + spanned == len(columns) - 1
        for start, end in re.findall(r"\\cmidrule\(lr\)\{(\d+)-(\d+)\}", body):
            assert int(start) < int(end) <= len(columns)


@pytest.fixture
def tables(variant):
    scores = [{"value": 0.25}, {"value": -0.0125, "name": "sap", "metric": "sap"}]
    scores.append({"value": 123456.0, "name": "elbo/total", "metric": "elbo"})
    runs = [
        variant(f"{model}-{beta}", values=scores, knobs={"beta": beta}, record={"model": model})
        for model in ("beta-vae", "beta-tcvae", "strangers-own")
        for beta in (1.0, 4.5)
    ]
    return make_tables(runs)


def test_names_are_those_of_papers_and_arrows_say_what_is_better(tables):
    code = as_latex(tables)
    check(code)
    head = r"Model & Settings & $-$ELBO $\downarrow$ & MIG $\uparrow$ & SAP $\uparrow$ \\"
    assert head.replace("$-$ELBO", "-ELBO") in code
    assert r"$\beta$-VAE & $\beta=1$ & $1.235\times10^{5}$ & 0.250 & $-0.013$ \\" in code
    assert r"$\beta$-TCVAE & $\beta=4.5$ &" in code
    assert "strangers-own & " in code  # a plugin that is not installed keeps its own name


def test_metric_is_named_once_above_its_columns(variant):
    own = [
        {"name": f"dci/{part}", "metric": "dci", "value": 0.1}
        for part in ("completeness", "disentanglement")
    ]
    own += [{"value": 0.2, "knobs": {"bins": bins}} for bins in (10, 40)]
    own.append({"name": "sap", "metric": "sap", "value": 0.3})
    code = as_latex(make_tables([variant("a", values=own)]))
    check(code)
    assert (
        r" & \multicolumn{2}{c}{DCI} & \multicolumn{2}{c}{MIG $\uparrow$} &  \\"
        "\n"
        r"\cmidrule(lr){2-3} \cmidrule(lr){4-5}"
        "\n"
        r"Model & DCI-C $\uparrow$ & DCI-D $\uparrow$ & bins=10 & bins=40 & SAP $\uparrow$ \\"
    ) in code


def test_long_words_have_two_lines():
    assert halves("alpha=1.0, beta=4.0, estimator=mws") == ("alpha=1.0, beta=4.0,", "estimator=mws")
    assert halves("dip-vae-ii (1 of 5 collapsed)") == ("dip-vae-ii", "(1 of 5 collapsed)")
    assert halves("beta=4.0, gamma=1.0") == ("beta=4.0, gamma=1.0",)
    assert halves("a-very-long-name-without-any-break") == ("a-very-long-name-without-any-break",)
    row = [Text("a"), Text("alpha=1.0, beta=4.0, estimator=mws"), Text("0.5")]
    code = latex(Sheet("t", ["model", "settings", "mig"], [row], "", numbers=1))
    check(code)
    assert r"\shortstack[l]{alpha=1.0, beta=4.0,\\{}estimator=mws}" in code


def test_constant_columns_are_left_out_unless_they_are_chosen(variant):
    runs = [variant(f"b{b}", values=[{"value": 0.1}], knobs={"beta": b}) for b in (1.0, 2.0)]
    assert "% All trained models: settings chosen by hand; 5 steps; 1 seed. " in as_latex(
        make_tables(runs)
    )
    code = as_latex(make_tables(runs, columns=["seeds", "mig"]))
    check(code)
    assert r"Model & Seeds & MIG $\uparrow$ \\" in code


def test_caption_is_short_and_optional_and_has_a_label(tables):
    code = as_latex(tables)
    assert "\\caption{tiny.}\n\\label{tab:tiny}\n" in code
    assert "% " in code.partition("fingerprint")[0]
    bare = as_latex(tables, caption=False)
    check(bare)
    assert r"\caption" not in bare
    assert r"\label" not in bare


def test_published_tables_have_symbols_too(tables):
    tables[0].papers = tuple(papers_on("dsprites"))
    code = as_latex(tables)
    check(code)
    assert r"$\beta$-VAE & 99.23 \\" in code
    assert code.count(r"\label{tab:") == 1 + len(tables[0].papers)


def test_columns_that_are_too_many_for_a_page_go_below():
    head = ["model", *(f"score-{i}" for i in range(40))]
    sheet = Sheet("many", head, [[Text("a"), *[Text("0.123 ± 0.456")] * 40]], "", numbers=40)
    code = latex(sheet)
    check(code)
    assert r"\resizebox" not in code
    assert code.count(r"\begin{tabular}") > 3
    assert code.count("0.123") == 40
    assert "% 40 columns of numbers: choose some with `disentangle table --columns`" in code
    rows = re.findall(r"^a & .*$", code, re.MULTILINE)
    assert all(len(row.replace(r"$\pm$", "±").replace("&", " ")) < PAGE + 10 for row in rows)


def test_marks_of_rows_are_kept():
    row = [Text("a", grey=True), Text("0.5 [0.4, 0.6]", strong=True)]
    code = latex(Sheet("t", ["model", "mig"], [row], "", numbers=1))
    check(code)
    assert r"\textcolor{gray}{a} & \textbf{\shortstack[r]{0.5\\{}{[}0.4, 0.6{]}}}" in code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("β=4, network=conv", r"$\beta=4$, network=conv"),
        ("λ_od=10", r"$\lambda_{\mathrm{od}}=10$"),
        ("τ=1e-05", r"$\tau=1\times10^{-5}$"),
        ("Δ-VAE ↑", r"$\Delta$-VAE $\uparrow$"),
        ("a_b & 5 % {x}", r"a\_b \& 5 \% \{x\}"),
        ("caf\u00e9 \u4e2d", "caf\u00e9 ?"),
    ],
)
def test_text_becomes_latex(text, code):
    assert latex_text(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0.763", "0.763"),
        ("-0.013 ± 0.200", r"$-0.013$ $\pm$ 0.200"),
        ("1.235e+05 [-1.000e-07, 2]", r"$1.235\times10^{5}$ {[}$-1.000\times10^{-7}$, 2{]}"),
        (".79 to .83", ".79 to .83"),
    ],
)
def test_numbers_become_latex(text, code):
    assert latex_number(text) == code


@given(st.lists(st.text(max_size=12), min_size=3, max_size=3), st.text(max_size=20))
def test_any_name_is_valid_latex(cells, title):
    head = ["model", "settings", *cells[:1]]
    body = [[Text(cells[1]), Text(cells[2]), Text("1.0")]]
    code = latex(Sheet(title, head, body, title, numbers=1))
    assert r"\label{tab:" in code
    check(code)


def test_display_names_have_all_their_characters():
    for group in (registry.models, registry.metrics):
        for name in group.entries:
            described = describe(group.kind, name)
            for text in (described.display, *described.displays.values()):
                assert "?" not in latex_text(text), text
