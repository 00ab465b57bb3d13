"""The documentation: its code runs, its links lead somewhere, and it leaves no plugin out."""

import contextlib
import importlib
import inspect
import json
import re
import shlex
import sys
import tomllib
import types

import pytest
import typer.core
from helpers.doc_blocks import BLOCK, ROOT, Shell, blocks_of, check_toml, commands_of

import disentangle
from disentangle.contracts import registry
from disentangle.contracts.common_options import Common, Training
from disentangle.contracts.plugin import knobs
from disentangle.data import loading as data
from disentangle.figures import run_figures as figures
from disentangle.runs.collection import load_all
from disentangle.runs.scores import current_scores
from disentangle.scoring.metric_spec import choose
from disentangle.scoring.protocol import known_protocols, load_protocol
from disentangle.training.preset import known_presets, load_preset

DOCS = ROOT / "docs"
FACES = [f"disentangle.{name}" for name in ("data", "figures", "maths", "nn", "studies", "testing")]
PAGES = sorted(DOCS.glob("*.md"))
TEXTS = {page.name: page.read_text() for page in PAGES}
NAMES = list(TEXTS)
PLACEHOLDERS = {"MODEL": "vae", "DATASET": "dsprites", "METRIC": "mig"}
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")


def built_in(group):
    return [
        entry.name
        for entries in group.entries.values()
        for entry in entries
        if entry.distribution == "disentangle-bench"
    ]


def prose(text):
    return re.sub(r"`[^`\n]*`", "``", BLOCK.sub("", text))


def anchors(text):
    """Return the ids that a page's headings get, those of documented objects included."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.MULTILINE)
    named = set(re.findall(r"\{ ?#([\w-]+) ?\}", text))
    objects = set(re.findall(r"^::: (\S+)$", text, re.MULTILINE))
    plain = (re.sub(r"[^\w\s-]", "", heading.lower()).strip() for heading in headings)
    return named | objects | {re.sub(r"[-\s]+", "-", heading) for heading in plain}


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NAMES if re.search("^```(sh|python)", TEXTS[n], re.M)])
def test_code_runs(name, strangers, tmp_path, command, monkeypatch):
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(figures, "files_of", lambda run: [])  # drawn in the README's test
    monkeypatch.setattr(registry, "check_imports", lambda: [])  # as some are broken on purpose
    shell = Shell(command, tmp_path, module)
    before = set(sys.modules)
    for block in blocks_of(TEXTS[name]):
        shell.run(block)
    for added in set(sys.modules) - before:
        if str(tmp_path) in (getattr(sys.modules[added], "__file__", None) or ""):
            del sys.modules[added]


@pytest.mark.parametrize("name", NAMES)
def test_toml_is_what_it_seems(name, strangers, tmp_path):
    for block in blocks_of(TEXTS[name]):
        if block.kind == "toml":
            check_toml(block.text, tmp_path)


@pytest.fixture
def parse(monkeypatch, command, tmp_path):
    """A function that takes a line apart as the command line does, and does no more."""
    seen = []
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # where completion is installed for a shell
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))
    monkeypatch.setattr(typer.core.TyperCommand, "invoke", lambda self, at: seen.append(at.params))

    def taken(line):
        words = [w for w in shlex.split(line, comments=True)[1:] if w not in ("...", "…")]
        code, _, err = command(*(PLACEHOLDERS.get(word, word) for word in words))
        assert code == 0, (line, err)
        return seen.pop() if seen else {}

    return taken


@pytest.mark.parametrize("name", [*NAMES, "README.md"])
def test_commands_that_cannot_run_here_exist(name, parse):
    text = TEXTS.get(name) or (ROOT / name).read_text()
    for block in blocks_of(text):
        for line in commands_of(block.text) if block.kind == "text" else ():
            if re.match(r"disentangle \d", line):
                continue  # what a figure says of its maker
            said = parse(line)
            dataset = said.get("dataset")
            if isinstance(dataset, str) and not data.is_path(dataset):
                assert ":" in dataset or dataset in registry.datasets.entries, line
            if isinstance(said.get("preset"), str):
                load_preset(said["preset"]).choose(said["preset"], line.split()[2], dataset, said)
            if isinstance(said.get("network"), str):
                assert said["network"] in registry.networks.entries, line
            rules = said.get("protocol") or "locatello2019"
            if not str(rules).endswith(".toml"):
                load_protocol(rules)
            if wanted := said.get("metric"):
                choose(wanted, load_protocol())


@pytest.mark.parametrize("name", [*NAMES, "README.md"])
def test_links_lead_somewhere(name):
    text = TEXTS.get(name) or (ROOT / name).read_text()
    folder = DOCS if name in TEXTS else ROOT
    for _, link in LINK.findall(prose(text)):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = folder / path if path else folder / name
        assert target.exists(), f"{name}: {link}"
        if name in TEXTS:
            assert target.resolve().is_relative_to(DOCS), f"{name}: {link} is not on the site"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text()), f"{name}: {link}"


@pytest.mark.parametrize(
    ("page", "group"),
    [
        ("models.md", registry.models),
        ("models.md", registry.networks),
        ("metrics.md", registry.metrics),
        ("datasets.md", registry.datasets),
    ],
)
def test_every_built_in_plugin_is_on_its_page(page, group):
    for name in built_in(group):
        assert f"`{name}`" in TEXTS[page], f"{page} does not name {name}"


@pytest.mark.parametrize(
    ("page", "group"), [("models.md", registry.models), ("metrics.md", registry.metrics)]
)
def test_definitions_are_those_of_the_code(page, group):
    for name in built_in(group):
        kind = group.load(name)
        assert f"::: {kind.__module__}.{kind.__qualname__}\n" in TEXTS[page]


def test_documented_objects_exist():
    for text in TEXTS.values():
        for name in re.findall(r"^::: (\S+)$", text, re.MULTILINE):
            module, _, attribute = name.rpartition(".")
            try:
                found = importlib.import_module(module)
            except ImportError:  # a class's attribute
                module, _, owner = module.rpartition(".")
                found = getattr(importlib.import_module(module), owner)
            assert hasattr(found, attribute), name


def test_formulas_of_documented_functions_have_their_tex():
    from tools import equations  # which needs Griffe

    names = [n for page in TEXTS.values() for n in re.findall(r"^::: (\S+)$", page, re.MULTILINE)]
    docstrings = {}
    for name in names:
        module, _, function = name.rpartition(".")
        with contextlib.suppress(ImportError):
            documented = getattr(importlib.import_module(module), function)
            if isinstance(documented, types.FunctionType):
                docstrings[function] = inspect.getdoc(documented) or ""
    assert {"mig", "log_weights"} <= set(docstrings)
    for name, docstring in docstrings.items():
        prose = equations.VERBATIM.sub("", equations.typeset(docstring, name))
        plain = re.search(r"(sum|mean|min|max)_|\blog [a-z]_|\|\||\^|\w_\(", prose)
        assert plain is None, f"{name}: {prose}"
        for formula in equations.equations().get(name, {}):
            assert formula in " ".join(docstring.split()), f"{name}: {formula}"


@pytest.mark.parametrize(
    ("docstring", "typeset"),
    [
        ("Return sum_i w_i max_k R_ik / sum_i w_i; or 0.", "```math\nTEX\n```\n\nOr 0."),
        (
            "Gaps of z_(1), I(z_i; v_k) and `v_k`.",
            "Gaps of $z_{(1)}$, $I(z_{i}; v_{k})$ and `v_k`.",
        ),
        ("The means of q(z|x).", "The means of $q(z \\mid x)$."),
    ],
)
def test_typesetting(docstring, typeset):
    from tools import equations

    (tex,) = (tex for plain, tex in equations.equations()["irs"].items() if "max_k" in plain)
    assert equations.typeset(docstring, "irs") == typeset.replace("TEX", tex)


def test_short_code_in_a_text_is_marked_and_no_other():
    markdown = pytest.importorskip("markdown")
    text = "`--device cpu`, `" + "x" * 31 + "`\n\n    indented\n"
    made = markdown.markdown(text, extensions=["tools.short_code"])
    assert re.findall(r'<code class="short">(.*?)</code>', made) == ["--device cpu"]
    assert made.count("<code>") == 2


def test_every_public_name_is_documented():
    public = {name: face for face in FACES for name in importlib.import_module(face).__all__}
    public |= {name: "disentangle" for name in disentangle.__all__ if name != "__version__"}
    missing = {n for n, face in public.items() if f"::: {face}.{n}\n" not in TEXTS["api.md"]}
    assert missing == {"initialising", "torch_rng"}  # which the kit passes on from elsewhere


def test_protocols_and_presets_are_named():
    for name in known_protocols():
        assert f"`{name}`" in TEXTS["metrics.md"]
    for name in known_presets():
        assert f"`{name}`" in TEXTS["models.md"]


def test_common_knobs_are_in_the_table_with_their_defaults():
    for knob in [*knobs(Common).values(), *knobs(Training).values()]:
        assert f"| `{knob.name}` | {written(knob.default)} |" in TEXTS["models.md"]


def written(default):
    text = f"{default:,}" if isinstance(default, int) and default > 999 else f"{default}"
    return f"`{text}`" if isinstance(default, str) else text.lower()


def baseline(name):
    (path,) = (ROOT / "results" / "baselines").glob(f"dsprites-*/{name}.json")
    scores = json.loads(path.read_text())["scores"]
    return {
        s["name"]: s["value"]
        for s in scores
        if s["protocol"] == "locatello2019" and not (s["knobs"] or s["view"])
    }


def test_numbers_of_oracle_and_noise_are_those_that_were_measured():
    table = TEXTS["concepts.md"].partition("## What a score is worth")[2]
    rows = {
        name: numbers
        for name, *numbers in re.findall(
            r"^\| `([\w/-]+)` \| (-?[\d.]+) \| (-?[\d.]+) \| (-?[\d.]+) \|", table, re.MULTILINE
        )
    }
    measured = [baseline(name) for name in ("oracle", "rotation", "noise")]
    assert set(rows) == {n for n in measured[0] if all(m.get(n) is not None for m in measured)}
    for name, numbers in rows.items():
        assert numbers == [f"{found[name]:.3f}" for found in measured], name


def test_numbers_in_the_quickstart_are_those_that_were_published():
    names = ["beta-vae-score", "factor-vae-score", "mig", "sap", "modularity"]
    rows = {"the factors (oracle)": [baseline("oracle")], "noise": [baseline("noise")]}
    for run in load_all(ROOT / "results" / "quick")[0]:
        row = {"vae": "VAE", "beta-vae": "beta-VAE, beta 4"}.get(run.record.model, "")
        found = {s.name: s.value for s in current_scores(run)}
        rows.setdefault(row, []).append(found)
    for row, runs in rows.items():
        means = [sum(found[name] for found in runs) / len(runs) for name in names]
        if row:
            assert f"| {row} | {' | '.join(f'{m:.3f}' for m in means)} |\n" in TEXTS["index.md"]


def pages_of(entries):
    for entry in entries:
        for said in entry.values():
            yield from [said] if isinstance(said, str) else pages_of(said)


def test_navigation_has_every_page_once():
    site = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
    assert sorted(pages_of(site["nav"])) == sorted(NAMES)


def test_the_command_reference_is_that_of_the_commands():
    from tools import commands

    assert TEXTS["commands.md"] == commands.page(), "run `python -m tools.commands`"


def test_the_gallery_shows_every_picture_that_its_script_makes():
    from tools import gallery

    shown = re.findall(r"\(gallery/([\w-]+)\.png\)", TEXTS["gallery.md"])
    made = gallery.commands("RUN") | gallery.pages_of("RUN")
    assert sorted(shown) == sorted(made)
    for words in made.values():
        assert f"\ndisentangle {' '.join(words[:2])}" in TEXTS["gallery.md"]


def documentation_of_score(plugin):
    return getattr(getattr(plugin, "score", None), "__doc__", None) or ""


def helps_of(plugin):
    return [knob.help for knob in knobs(plugin).values()]


@pytest.mark.parametrize("group", [registry.models, registry.metrics])
def test_formulas_of_docstrings_have_their_tex(group):
    equations = tomllib.loads((ROOT / "tools" / "equations.toml").read_text())
    for name in built_in(group):
        plugin = group.load(name)
        texts = [plugin.__doc__, documentation_of_score(plugin), *helps_of(plugin)]
        docstring = " ".join(" ".join(texts).split())
        for formula in sorted(equations.get(plugin.__name__, {}), key=len, reverse=True):
            assert formula in docstring, f"{plugin.__name__}: {formula}"
            docstring = docstring.replace(formula, "")
        assert not re.search(r"(sum|mean|max)_|log p|\^2", docstring), f"{name}: {docstring}"


SURPRISES = (
    ("noise reach {}, all", ("modularity", "noise")),
    ("rotation {}, and on", ("modularity", "mixed")),
    ("values noise reaches {}:", ("modularity", "uneven grid, noise")),
    ("five constant latents score {}.", ("modularity", "beside constants")),
    ("the beta-VAE score is {} and", ("beta-vae-score", "mixed")),
    ("the FactorVAE score {}, and", ("factor-vae-score", "mixed")),
    ("both are {} if pairs", ("beta-vae-score", "rotated", 30)),
    ("both are {} if pairs", ("factor-vae-score", "rotated", 30)),
    ("in other units score {}.", ("factor-vae-score", "scaled")),
    ("there an accuracy of {} becomes", ("downstream/10000", "oracle")),
    ("becomes {}.", ("downstream/10000", "scaled")),
    ("one latent it is {}, as", ("mig", "merged")),
    ("MIG-sup is {}. If", ("mig-sup", "merged")),
    ("MIG is {} and MIG-sup", ("mig", "copied")),
    ("and MIG-sup {}. One", ("mig-sup", "copied")),
    ("MIG falls from {} to", ("mig", "leaking", 0)),
    ("to {}; at half", ("mig", "leaking", 0.1)),
    ("at half it is {}.", ("mig", "leaking", 0.5)),
    ("takes it to {}.", ("mig", "noisy at 0.3")),
    ("a MIG-sup of {}, a", ("mig-sup", "beside noise", 100)),
    ("a modularity of {} and an", ("modularity", "beside noise", 100)),
    ("an IRS of {}, while", ("irs", "beside noise", 100)),
    ("`mcc` are still {}. So", ("mig", "beside noise", 100)),
    ("`mcc` are still {}. So", ("mcc", "beside noise", 100)),
    ("a MIG of {} and a `sap-r2`", ("mig", "correlated factors", 0.9)),
    ("a `sap-r2` of {}: part", ("sap-r2", "correlated factors", 0.9)),
    ("`dci-lgbm` stay at {}.", ("mcc", "correlated factors", 0.9)),
    ("`dci-lgbm` stay at {}.", ("irs", "correlated factors", 0.9)),
    ("`dci-lgbm` stay at {}.", ("beta-vae-score", "correlated factors", 0.9)),
    ("`dci-lgbm` stay at {}.", ("factor-vae-score", "correlated factors", 0.9)),
    ("`dci-lgbm` stay at {}.", ("dci-lgbm/disentanglement", "correlated factors", 0.9)),
    ("a `sufficiency` of {}, an", ("sufficiency", "few rows, noise", 50)),
    ("an IRS of {} and an `mcc`", ("irs", "few rows, noise", 50)),
    ("an `mcc` of {}; on", ("mcc", "few rows, noise", 50)),
    ("rows they are {}, ", ("sufficiency", "few rows, noise", 10_000)),
    (", {} and 0.", ("irs", "few rows, noise", 10_000)),
    (" and {}. - **Repeated", ("mcc", "few rows, noise", 10_000)),
    ("for noise is {} if each", ("dci-lgbm/informativeness", "repeated rows", 1)),
    ("once, and {} if each", ("dci-lgbm/informativeness", "repeated rows", 10)),
)
"""Parts of sentences in the concepts -> the score, case and amount of their number."""


@pytest.mark.parametrize(("part", "cell"), SURPRISES)
def test_surprises_of_the_audit_have_the_published_numbers(part, cell):
    score, case, *amounts = cell
    published = json.loads((ROOT / "results" / "audit" / "audit.json").read_text())
    values = next(
        each["values"]
        for each in published["cells"]
        if (each["score"], each["case"]) == (score, case)
    )
    (scores,) = (v["scores"] for v in values if not amounts or v["amount"] == amounts[0])
    number = f"{sum(scores) / len(scores):.2f}"
    section = TEXTS["concepts.md"].partition("## What an audit shows")[2].partition("\n## ")[0]
    assert part.format(number) in " ".join(section.split())


def test_readme_of_the_results_counts_the_failures_of_the_audit():
    scores = json.loads((ROOT / "results" / "audit" / "audit.json").read_text())["scores"]
    text = " ".join((ROOT / "results" / "README.md").read_text().split())
    mig = scores["mig"]
    assert f"MIG fails in {mig['fails']} of {mig['judged']}" in text
    assert "each fail in one case" in text
    assert [scores[f"dci-lgbm/{p}"]["fails"] for p in ("disentanglement", "completeness")] == [1, 1]
    assert all(score["fails"] for score in scores.values() if score["claims"])


def test_the_page_of_the_audit_has_the_cases_the_expectations_and_the_published_verdicts():
    from tools import audit

    assert TEXTS["audit.md"] == audit.page(TEXTS["audit.md"]), "run `python -m tools.audit`"
    assert audit.COPY.read_text() == (audit.RESULT / "page.html").read_text()
