"""The command line, through its entry function: what it does, says and returns."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from disentangle import __version__
from disentangle.cli.list_plugins import HEADINGS, lines_of
from disentangle.runs.named import load_run

pytestmark = pytest.mark.usefixtures("strangers")
PICTURED = ["train", "beta-vae", "tiny", "--steps", "3", "--batch-size", "8", "--device", "cpu"]
TRAIN = [*PICTURED, "--no-figures"]


def trained_path(out):
    return out.strip().splitlines()[-1]


@pytest.fixture
def trained_run(command, tmp_path):
    """A run that the command has trained, of the folder that it works in."""
    return load_run(tmp_path / trained_path(command(*TRAIN)[1]))


def test_train_score_traverse_table(command):
    """The commands of the README, one after another."""
    code, out, _ = command(*PICTURED)
    assert code == 0
    path = trained_path(out)
    assert command("score", "--metric", "mig")[0] == 0
    code, out, _ = command("traverse", path, "--base", "first:1", "--base", "prior:2")
    assert code == 0
    stem = f"{path}/figures/traversals-base-first-1-prior-2"
    assert out.split() == [f"{stem}.png", f"{stem}.gif"]
    code, out, _ = command("table")
    assert code == 0
    assert "mig" in out


def test_training_says_where_and_how_fast_and_what_came_of_it(command):
    code, _, err = command(*TRAIN)
    assert code == 0
    assert [words for words in ("training on cpu", "images/s", "active") if words not in err] == []


@pytest.mark.slow
def test_training_leaves_a_record_a_log_weights_and_figures(command, tmp_path):
    run = load_run(tmp_path / trained_path(command(*PICTURED)[1]))
    files = {path.name for path in run.path.iterdir()}
    assert files >= {"run.json", "log.jsonl", "checkpoint.safetensors", "figures"}
    assert {path.suffix for path in run.figures.iterdir()} == {".png", ".gif"}


def test_options_are_recorded_with_where_they_are_from(command, tmp_path):
    _, out, _ = command(*TRAIN, "--beta", 3, "--seed", 5)
    record = load_run(tmp_path / trained_path(out)).record
    assert (record.knobs["beta"], record.seed) == (3.0, 5)
    assert record.settings["beta"].origin == "given"
    assert record.settings["network"].origin == "default"


def test_scores_are_kept_with_the_run(command, trained_run):
    assert command("score", "--metric", "mig", "--metric", "spread")[0] == 0
    scores = json.loads((trained_run.path / "scores.json").read_text())["scores"]
    assert {score["name"] for score in scores} == {"mig", "spread"}


def test_scores_are_printed_as_a_table(command):
    command(*TRAIN, "--latents", 4, "--beta", 3)
    _, out, _ = command("score", "--metric", "mig")
    assert "| latents=4, beta=3.0, batch_size=8 | by hand | 3     | 1     |" in out


def test_scores_are_written_as_markdown_and_csv(command, trained_run, tmp_path):
    command("score", "--metric", "mig", "--metric", "spread")
    assert "mig" in (tmp_path / "results" / "scores.md").read_text()
    with (tmp_path / "results" / "scores.csv").open() as file:
        assert {row["score"] for row in csv.DictReader(file)} == {"mig", "spread"}


def test_training_again_prints_the_finished_runs_path(command):
    _, first, _ = command(*TRAIN)
    code, again, err = command(*TRAIN)
    assert (code, again) == (0, first)
    assert "already finished" in err


def test_resume_of_a_finished_run_prints_its_path(command):
    _, out, _ = command(*TRAIN)
    code, again, err = command("resume", trained_path(out))
    assert (code, again) == (0, out)
    assert "already finished" in err


def test_dashes_and_beta_norm(command, tmp_path):
    code, out, _ = command(*TRAIN, "--beta-norm", "0.01")
    assert code == 0
    record = load_run(tmp_path / trained_path(out)).record
    assert record.knobs["beta"] == pytest.approx(4.096)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "bta-vae", "tiny"], "no model 'bta-vae'; did you mean 'beta-vae'?"),
        (["train", "beta-vae", "tinny"], "no dataset 'tinny'; did you mean 'tiny'?"),
        (["train", "vae", "CIFAR10"], "PREFIX:NAME, such as `torchvision:MNIST`, with a prefix"),
        (["train", "vae", "tiny", "--beta", "4"], "vae has no hyper-parameter 'beta' (ada-gvae, "),
        (["train", "vae", "tiny", "--ltents", "4"], "'--ltents'; did you mean '--latents'?"),
        (["train", "vae", "tiny", "--from", "x"], "no option '--from'; did you mean '--file'?"),
        (["train", "vae", "tiny", "--steps", "1.5"], "--steps: expected a whole number, got '1.5'"),
        (["train", "vae", "tiny", "--seed", "0..2"], "got '0..2'; write `--seeds 0..2`"),
        (["train", "vae", "tiny", "--seed=0,3"], "got '0,3'; write `--seeds 0,3`"),
        (["train", "vae", "tiny", "--track", "mlflow,wandb"], "--track mlflow --track wandb"),
        ([*TRAIN, "--beta", "four"], "--beta: expected a number, got 'four'"),
        (["figure", "samples", "x", "--count=0"], "a whole number, at least 1 and at most 1024"),
        (["score", "--steps", "3"], "'--steps', which is an option of `disentangle train MODEL`"),
        (["table", "--metric", "mig"], "of `disentangle score` and `disentangle baselines`"),
        (["table", "--seed", "1"], "has no option '--seed'; did you mean '--seeds'?"),
        (["table", "--nothing"], "'--nothing'; `disentangle table --help` lists its options"),
        (["advise"], "MODEL is missing: expected `disentangle advise MODEL DATASET`, for example"),
        (["import", "x", "--model", "vae"], "--model requires --dataset NAME"),
        ([*TRAIN, "--beta", "nan"], "beta must be a finite number, at least 0; got nan"),
        ([*TRAIN, "--beta", "4", "--beta-norm", "1"], "give beta or beta_norm, not both"),
        (["train", "vae", "tiny", "--steps", "0"], "steps must be a whole number, at least 1"),
        ([*TRAIN, "--seed", "-1"], "seed must be a whole number, at least 0; got -1"),
        ([*TRAIN, "--likelihood", "poisson"], "poisson"),
        ([*TRAIN, "--variance", "0.1"], "variance has no effect while likelihood is bernoulli"),
        ([*TRAIN, "--network", "burgss"], "no network 'burgss'; did you mean 'burgess'?"),
        (["train", "twin", "tiny"], "model 'twin' is ambiguous"),
        (["score", "--metric", "mgi"], "no metric 'mgi'; did you mean 'mig'?"),
        (["score", "--metric", "mig:bins"], "expected a name, or NAME:SETTING=VALUE"),
        (["score", "--metric", "mig,sap"], "'mig,sap': give one metric per --metric"),
        (["show", "betavae"], "no plugin, protocol or preset 'betavae'; did you mean 'beta-vae'?"),
        (["frobnicate"], "has no command 'frobnicate'; run `disentangle --help` to list all"),
        (["trian"], "`disentangle` has no command 'trian'; did you mean 'train'?"),
        (["runs", "list"], "`disentangle runs` has no command 'list'; known: name, "),
        (["sweep", "x.toml", "--slurm"], "no option '--slurm'; write `--on slurm`"),
        (["sweep", "x", "--cpus", "4"], "`--on ray:cpus=VALUE` or `--on slurm:cpus=VALUE`"),
        (["score", "x", "--quiet"], "goes before the command: `disentangle --quiet score ...`"),
        (["train", "vae", "tiny", "-q"], "before the command: `disentangle -q train vae ...`"),
        (["show", "--version"], "goes before the command: `disentangle --version`"),
        (
            ["export", "x", "--format", "onx", "-o", "y"],
            "--format: expected one of archive, ",
        ),
        (["train", "vae", "tiny", "--track"], "--track: expected a value, `--track NAME["),
        (["table", "--baselines=yes"], "--baselines takes no value; write `--baselines` alone"),
        (
            ["encode", "x", "y", "z z", "-o", "u"],
            "`disentangle encode RUN [DATASET]` and options, ",
        ),
        (["train", "vae"], "which dataset? Run `disentangle train vae DATASET`"),
        (["train", "vae", "--steps", "3"], "DATASET is missing: expected `disentangle train vae"),
    ],
    ids=lambda x: " ".join(x)[-40:] if isinstance(x, list) else "",
)
def test_bad_usage_exits_with_2_and_says_what_and_why(command, words, message):
    code, out, err = command(*words)
    assert code == 2
    assert message in err
    assert out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "broken", "tiny"], "model 'broken' of strangers 3.1 cannot be imported"),
        (["train", "vae", "unopenable"], "RuntimeError: the disk is on fire"),
        (["score"], "results: no runs. Run `disentangle train MODEL DATASET` first."),
        (["table"], "no runs. Run `disentangle train MODEL DATASET` first."),
        (["resume", "nowhere"], "nowhere: not a run (it has no run.json)"),
        (["traverse", "nowhere"], "nowhere: not a run (it has no run.json)"),
        (["score", "nowhere"], "nowhere: not a run (it has no run.json)"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_failure_exits_with_1_and_one_line(command, words, message):
    code, out, err = command(*words)
    assert code == 1
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_absent_device_exits_with_2(command, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for words in ([*PICTURED[:-1], "cuda"], ["score", "--device", "cuda"]):
        code, _, err = command(*words)
        assert code == 2
        assert "device 'cuda' is not available" in err


def test_messages_are_shown_letter_by_letter(command):
    code, _, err = command("score", ":x:")
    assert code == 1
    assert ":x:: not a run" in err


def test_results_folder_that_cannot_be_written(command, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = command(*TRAIN, "--results", tmp_path / "file")
    assert code == 1
    assert "cannot write to this folder" in err
    assert "--results" in err


def test_half_written_run_is_refused_and_kept(command, tmp_path):
    _, out, _ = command(*TRAIN)
    record = tmp_path / trained_path(out) / "run.json"
    record.write_text(record.read_text()[:50])
    code, _, err = command(*TRAIN)
    assert code == 1
    assert "run.json: invalid record" in err
    assert len(record.read_text()) == 50


def test_damaged_run_is_named_and_the_others_are_scored_and_shown(command, tmp_path):
    _, out, _ = command(*TRAIN)
    _, other, _ = command(*TRAIN, "--beta", "7")
    record = tmp_path / trained_path(other) / "run.json"
    record.write_text("{")
    for words in (["score", "--metric", "spread"], ["table"]):
        code, out, err = command(*words)
        assert code == 1
        assert "spread" in out
        assert f"{trained_path(other)}/run.json: invalid record" in err
        assert len(err.strip().splitlines()) <= 2


def test_scoring_a_named_run_writes_the_table_of_all(command, tmp_path):
    paths = [trained_path(command(*TRAIN, "--beta", beta)[1]) for beta in (2, 7)]
    for path in paths:
        code, out, _ = command("score", path, "--metric", "spread")
        assert code == 0
        assert [Path(word).name for word in out.split()[-2:]] == ["scores.md", "scores.csv"]
    text = (tmp_path / "results" / "scores.md").read_text()
    assert "beta=2.0" in text
    assert "beta=7.0" in text


def test_unfinished_runs_are_left_out_of_scoring_and_said(command, tmp_path):
    command(*TRAIN)
    _, other, _ = command(*TRAIN, "--beta", "7")
    load_run(tmp_path / trained_path(other)).save_record(finished=None)
    code, _, err = command("score", "--metric", "spread")
    assert code == 0
    assert "skipping unfinished runs: 1" in err


def test_list_says_what_each_plugin_is_and_whose_if_not_built_in(command):
    code, out, _ = command("list")
    assert code == 0
    lines = {line[2:].split("  ")[0]: line for line in out.splitlines()}
    assert lines["half-vae"].endswith("(strangers 3.1)")
    assert lines["twin"].split()[1] == "AMBIGUOUS:"
    assert lines["mig"].startswith("* mig ")
    assert lines["mig"].endswith("  Gap in information between a factor's two best latents")
    assert lines["dci"].startswith("  dci ")
    assert [n for n in ("conv", "local", "locatello2019") if lines[n].startswith("* ")]
    assert "disentangle-bench" not in out
    kinds = [line.split()[0] for line in out.splitlines() if line[:1].isupper()]
    assert [kind.lower() for kind in kinds] == [kind for kind in HEADINGS if any(lines_of(kind))]


@pytest.mark.parametrize("word", ["metrics", "metric", "METRICS"])
def test_list_of_a_kind(command, word):
    code, out, _ = command("list", word)
    assert code == 0
    assert " mig " in out
    assert "beta-vae " not in out.replace("beta-vae-score", "")
    assert {"metric"} == {
        e["kind"] for e in json.loads(command("list", word, "--json")[1])["plugins"]
    }


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("modls", "no kind of plugin 'modls'; did you mean 'models'?"),
        ("MIG", "'MIG' is a plugin, not a kind of plugin; run `disentangle show MIG`"),
    ],
)
def test_list_of_an_unknown_kind_is_refused(command, word, message):
    code, out, err = command("list", word)
    assert (code, out) == (2, "")
    assert message in err


def test_list_fits_the_terminal(command, monkeypatch):
    for module in ("output", "list_plugins"):
        monkeypatch.setattr(f"disentangle.cli.{module}.output_width", lambda: 50)
    out = command("list")[1]
    assert not [line for line in out.splitlines() if len(line) > 50 and "https://" not in line]
    assert "\nNetworks   * default\n  disentangle train MODEL DATASET --network NAME\n" in out
    assert "  factor-vae    A VAE with a penalty on total\n" in out


def test_show_gives_paper_equation_and_knobs(command):
    code, out, _ = command("show", "beta-vae")
    assert code == 0
    assert "Higgins et al. (2017), https://openreview.net" in out
    assert "beta KL(q(z|x) || p(z))" in out
    assert "  --beta-norm " in out
    assert "[default: 4.0]" in out
    assert "from disentangle-bench" in out
    assert command("show", "Beta-VAE")[1] == out


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "disjoint",
            ["protocol disjoint", "points: disjoint", "knobs: infomec out_of_sample=True"],
        ),
        (
            "higgins2017",
            [
                "preset higgins2017",
                "  models: vae, beta-vae\n",
                "  datasets: dsprites, chairs-grey, celeba\n",
                "  beta-vae on dsprites:\n    model: beta 4.0\n",
            ],
        ),
        (
            "locatello2019",
            ["  dip-vae-i on all datasets:\n    sweep: lambda_od 1, 2, 5, 10, 20, 50\n    with: "],
        ),
    ],
)
def test_show_says_what_a_file_says(command, name, lines):
    code, out, _ = command("show", name)
    assert code == 0
    assert all(line in out for line in lines)


def test_show_of_a_collection_says_how_it_is_asked(command):
    code, out, _ = command("show", "hf")
    assert code == 0
    assert "hf:NAME" in out
    assert "Raises:" not in out


def test_show_of_a_dataset_says_what_is_known_of_it(command):
    code, out, _ = command("show", "dsprites")
    assert code == 0
    assert "  images: 737,280" in out
    assert "  licence: " in out
    assert "Raises" not in out


@pytest.mark.parametrize("name", ["mig", "conv", "dsprites"])
def test_show_knows_every_kind_of_plugin(command, name):
    code, out, _ = command("show", name)
    assert code == 0
    assert name in out


def test_help_of_a_model_has_its_hyper_parameters_in_a_panel(command):
    code, out, _ = command("train", "beta-vae", "--help")
    assert code == 0
    assert "Hyper-parameters of beta-vae" in out
    assert "--beta-norm" in out
    assert "Higgins et al. (2017)" in out
    code, out, _ = command("train", "half-vae", "--help")
    assert "--alpha" in out
    assert "--beta" not in out


def test_help_of_train_lists_models_without_importing_them():
    code = (
        "import sys\nfrom disentangle.cli.app import main\n"
        "sys.argv = ['disentangle', 'train', '-h']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "half-vae" in result.stdout
    assert "(strangers 3.1)" in result.stdout
    assert "broken" in result.stdout


def test_train_without_a_dataset_lists_the_datasets(command):
    code, out, err = command("train", "Beta-VAE")
    assert (code, out) == (2, "")
    assert "Run `disentangle train beta-vae DATASET`" in err
    assert re.search("  dsprites +Squares, ellipses and hearts", err)


def test_train_of_an_unknown_model_suggests_one_or_lists_them(command):
    code, _, err = command("train", "bta-vae", "dsprites")
    assert (code, err) == (2, "error: no model 'bta-vae'; did you mean 'beta-vae'?\n")
    code, _, err = command("train", "qqqq", "dsprites")
    assert code == 2
    assert "  factor-vae    A VAE with a penalty on total correlation" in err


def test_version(command):
    assert command("--version")[:2] == (0, f"disentangle {__version__}\n")


def test_module_is_the_command():
    result = subprocess.run(
        [sys.executable, "-m", "disentangle", "--version"], capture_output=True, text=True
    )
    assert result.stdout == f"disentangle {__version__}\n"


@pytest.fixture
def codes_file(tmp_path):
    v = np.random.default_rng(0).integers(0, (3, 4), (300, 2))
    np.savez(tmp_path / "codes.npz", codes=v + 0.1, factors=v, names=["size", "hue"])
    return tmp_path / "codes.npz"


def test_score_of_codes_from_elsewhere(command, codes_file, tmp_path):
    words = ["--codes", codes_file, "--metric", "mig", "--metric", "elbo", "--detail"]
    code, out, _ = command("score", *words, "--output", "scores.json")
    assert code == 0
    assert "mig   0.9" in out
    assert "elbo  n/a: " in out
    assert "mig/information (mean representation), by latent and factor" in out
    assert "size    hue" in out
    assert '"weights": "codes ' in (tmp_path / "scores.json").read_text()


def test_score_of_an_encoder_by_name(command, tmp_path):
    (tmp_path / "mine.py").write_text("def flat(x):\n    return x.flatten(1)[:, ::400]\n")
    words = ["--encoder", "mine:flat", "--dataset", "tiny", "--metric", "sap"]
    code, out, _ = command("score", *words)
    assert code == 0
    assert out.startswith("sap  0.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--encoder", "math:sqrt"], "--encoder requires --dataset, whose images it encodes"),
        (["--dataset", "tiny"], "--dataset requires --encoder or --codes"),
        (["--takes", "uint8"], "--takes requires --encoder"),
        (["--name", "mine"], "--name requires --encoder or --codes"),
        (["--codes", "a.npz", "--encoder-seed", "1"], "--encoder-seed requires --name"),
        (["--codes", "a.npz", "--encoder", "math:sqrt"], "give only one of --codes and --encoder"),
        (["--codes", "a.npz", "--split", "test"], "got arrays (--codes)"),
        (["--codes", "a.npz", "--study", "b"], "--study requires --name"),
        (["--protocol", "nope"], "no protocol 'nope'"),
        (["--labels", "factors.npy"], "--labels requires --codes"),
        (["--kind", "a:ordinal"], "--kind requires --codes; a dataset states the kinds itself"),
        (["--codes", "a.npz", "--kind", "ordinal"], "expected a factor and its kind, such as"),
        (["--codes", "a.npz", "--kind", "a:ordinl"], "got 'ordinl'; did you mean 'ordinal'"),
        (["--codes", "a.npz", "--kind", "a:cyclic"], "--kind a:cyclic: expected the period of a"),
    ],
)
def test_options_of_score_that_do_not_go_together(command, words, message):
    code, _, err = command("score", *words)
    assert code == 2
    assert message in err


def test_factors_come_from_a_file_of_their_own(command, codes_file, tmp_path):
    with np.load(codes_file) as arrays:
        np.save(tmp_path / "z.npy", arrays["codes"])
        np.save(tmp_path / "v.npy", arrays["factors"])
    together = command("score", "--codes", codes_file, "--metric", "mig")
    assert command("score", "--codes", "z.npy", "--labels", "v.npy", "--metric", "mig") == together


def test_wrong_arrays_are_named_with_their_file(command, tmp_path):
    np.savez(tmp_path / "c.npz", codes=np.zeros((90, 1)), factors=np.full((90, 1), np.nan))
    code, _, err = command("score", "--codes", "c.npz")
    assert code == 2
    assert "error: c.npz: factors: column 0 ('factor 1'): expected finite numbers or text" in err


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_command_without_a_single_score_fails_with_the_reason(command, codes_file, form):
    code, out, err = command("score", "--codes", codes_file, "--metric", "elbo", *form)
    assert code == 1
    assert "elbo" in out
    assert "error: no score could be computed: " in err
    assert "needs" in err


def test_runs_without_a_single_score_fail_with_the_reason(command, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (70, 32, 32), np.uint8)
    np.savez(tmp_path / "plain.npz", images=images)
    words = [word.replace("tiny", "./plain.npz") for word in TRAIN]
    command(*words)
    code, _, err = command("score", "--metric", "mig")
    assert code == 1
    assert "error: no score could be computed: needs a dataset that is labelled" in err
    assert command("score", "--metric", "mig", "--metric", "elbo")[0] == 0


def test_wrong_codes_file_is_named(command, tmp_path):
    np.savez(tmp_path / "odd.npz", z=np.zeros(3))
    code, _, err = command("score", "--codes", "odd.npz")
    assert code == 1
    assert "cannot use odd.npz as codes and factors: expected both arrays, got z" in err


def test_all_metrics_first_say_their_time(command, monkeypatch):
    command(*TRAIN)
    monkeypatch.setattr(
        "disentangle.scoring.score_runs._complete", lambda *a: None
    )  # it would take long
    code, _, err = command("score", "--metric", "all")
    assert code == 0
    assert "metrics: at most 0 s to encode the images, then about" in err


def test_udr_ranks_runs_on_the_same_images(command):
    for seed in (0, 1, 2):
        command(*TRAIN, "--seed", seed)
    code, out, _ = command("udr", "--samples", 50)
    assert code == 0
    assert out.startswith("tiny, udr-dlib by lasso, 50 images")
    assert len(out.splitlines()) == 5
    assert out.splitlines()[1].split() == ["udr", "run", "folder"]
    assert command("udr", "--method", "nope")[0] == 2


def test_udr_of_one_run_is_refused(command):
    command(*TRAIN)
    code, _, err = command("udr")
    assert code == 2
    assert "at least two finished runs" in err


def test_corrected_table_without_baselines_says_how_to_get_them(command, trained_run):
    assert command("score", "--metric", "mig")[0] == 0
    code, _, err = command("table", "--corrected")
    assert code == 1
    assert "Run `disentangle baselines DATASET` first." in err


def test_corrected_table_shows_the_baselines(command, trained_run):
    assert command("score", "--metric", "mig")[0] == 0
    code, out, _ = command(
        "baselines", "tiny", "--metric", "mig", "--only", "oracle", "--only", "noise"
    )
    assert code == 0
    assert out.splitlines()[1].startswith("oracle  ")
    out = command("table", "--corrected")[1]
    assert "mig, corrected" in out
    assert "| oracle" in out


@pytest.fixture
def table(variant, command):
    """A function that prints a table of two runs, of beta 1 and 9, with two scores each."""
    for beta, value in ((1.0, 0.2), (9.0, 0.7)):
        values = [{"value": value}, {"name": "spread", "metric": "spread", "value": 1.0}]
        run = variant(f"beta-{beta}", values=values, knobs={"beta": beta})

    def print_table(*words):
        code, out, err = command("table", "--results", run.path.parent, *words)
        assert code == 0, err
        return out

    return print_table


def test_table_under_a_condition_has_no_other_row(table):
    out = table("--where", "beta>4", "--published")
    assert "beta=9.0" in out
    assert "beta=1.0" not in out


def test_table_of_some_columns_has_no_other(table):
    out = table("--columns", "mig")
    assert "mig" in out
    assert "spread" not in out


def test_table_of_some_words_has_no_other_but_the_model(table):
    head = table("--columns", "steps", "--columns", "mig").splitlines()[2]
    assert head.split() == ["|", "model", "|", "steps", "|", "mig", "|"]


def test_column_is_chosen_by_its_heading(command, variant):
    values = [{"value": 0.5}, {"value": 0.25, "knobs": {"bins": 40}}]
    run = variant("a", values=values)
    words = ["--results", run.path.parent, "--columns", "mig [bins=40]"]
    out = command("table", *words)[1]
    assert "0.250" in out
    assert "0.500" not in out
    assert "0.5," not in command("table", *words, "--format", "csv-long")[1]


def test_table_of_a_choice_has_one_row(table):
    assert table("--choose", "oracle:mig").count("beta=") == 1


def test_table_is_sorted_by_a_score(table):
    out = table("--sort", "mig", "--strict")
    assert out.index("beta=9.0") < out.index("beta=1.0")


def test_table_of_a_study_has_its_runs(command, trained_run):
    assert command("score", "--metric", "mig")[0] == 0
    assert "beta-vae" in command("table", "--study", "default")[1]


def test_table_as_latex_begins_with_a_comment(table):
    assert table("--format", "latex").startswith("% disentangle")


def test_latex_without_a_caption_is_a_tabular_alone(table):
    out = table("--format", "latex", "--no-caption")
    assert "\\begin{tabular}" in out
    assert "\\caption" not in out


def test_values_of_seeds_are_shown_when_asked(command, variant):
    for seed, value in enumerate((0.25, 0.75)):
        run = variant(f"s{seed}", seed=seed, values=[{"value": value}])
    words = ["table", "--results", run.path.parent]
    assert "0.500 ± 0.354" in command(*words)[1]
    assert "0.500 (0.250, 0.750)" in command(*words, "--seeds")[1]


def test_long_table_has_a_line_for_each_score(table):
    assert table("--format", "csv-long").count("\n") == 1 + 2 * 2


def test_table_is_written_in_the_form_that_its_name_says(table, tmp_path):
    assert table("--output", tmp_path / "t.html").strip() == str(tmp_path / "t.html")
    assert "<table" in (tmp_path / "t.html").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--where", "beta>90"], 1, "no run matches --where beta>90"),
        (["--where", "beta"], 2, "expected a condition"),
        (["--study", "nothing"], 2, "no such folder in"),
        (["--study", "../.."], 2, "no such folder in"),
        (["--output", "t.xls"], 2, "file name that ends with one of"),
        (["--no-caption"], 2, "--no-caption requires LaTeX"),
        (["--columns", "nothing"], 2, "no column 'nothing'"),
        (["--choose", "best"], 2, "the rules are"),
    ],
    ids=str,
)
def test_table_options_that_make_no_sense_are_refused(command, variant, words, code, said):
    path = variant("a", values=[{"value": 0.5}]).path
    found = command("table", "--results", path.parent, *words)
    assert found[0] == code
    assert said in found[2]
