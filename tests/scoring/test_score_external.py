"""Scoring encoders that were not trained here: functions, modules and files."""

import sys
import warnings

import numpy as np
import pytest
import torch

from disentangle._utils.seeds import global_states
from disentangle.contracts.model import Code
from disentangle.contracts.source import Source
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError, InputWarning, UsageError
from disentangle.scoring.arrays import array_source
from disentangle.scoring.baselines import baselines
from disentangle.scoring.encoder_loading import load_encoder
from disentangle.scoring.encoders import FunctionSource, as_codes, evaluating
from disentangle.scoring.score_external import score_codes, score_encoder
from disentangle.scoring.score_runs import score

pytestmark = pytest.mark.usefixtures("strangers")
MIG = ["mig:samples=75"]


def corner(x):
    """Return where the square is and how large, from its pixels: a perfect encoder."""
    x = x.float()[:, 0] > 0
    rows, columns = x.any(2), x.any(1)
    first = [m.float().argmax(1) for m in (rows, columns)]
    return torch.stack([*first, rows.sum(1)], 1).float()


def test_encoder_that_finds_the_factors_scores_high_and_noise_low():
    assert score_encoder(corner, "tiny", MIG, device="cpu")["mig"] > 0.9
    noise = np.random.default_rng(0)
    table = noise.normal(size=(256, 3))
    blind = score_encoder(
        lambda x: table[x[:, 0].sum((1, 2)).int() % 256], "tiny", MIG, device="cpu"
    )
    assert blind["mig"] < 0.3


def test_each_image_is_encoded_once_whatever_is_scored():
    seen = []

    def counting(x):
        seen.append(len(x))
        return corner(x)

    found = score_encoder(counting, "tiny", ["mig", "beta-vae-score:train=99,test=9"], device="cpu")
    assert set(found) == {"mig", "beta-vae-score"}
    assert sum(seen) == 2 + 75 + 16 + 16 + 8  # a few first, and again to see if they are the same


@pytest.mark.parametrize(("takes", "kind"), [("float", torch.float32), ("uint8", torch.uint8)])
def test_encoder_gets_the_images_that_it_takes(takes, kind):
    def check(x):
        assert x.dtype == kind
        assert x.shape[1:] == (1, 64, 64)
        assert x.max() == (255 if takes == "uint8" else 1)
        return corner(x)

    assert score_encoder(check, "tiny", MIG, takes=takes, device="cpu")


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (
            lambda x: (x, x),
            r"must return one array .*got a tuple of 0 \[2, 1, 64, 64\], 1 .*:output=0`, or wrap",
        ),
        (lambda x: x, r"for 2 images, got \[2, 1, 64, 64\]"),
        (lambda x: x.sum(), r"for 2 images, got \[\]"),
        (lambda x: torch.full((len(x), 2), torch.nan), "not finite"),
        (lambda x: np.full((len(x), 2), "a"), "must return numbers, got <U1"),
        (lambda x: {"z": x}, r"got a dict of z \[2, 1, 64, 64\].*REFERENCE:output=z`"),
        (lambda x: torch.distributions.Normal(x, 1), "got a Normal; wrap it"),
        (lambda x: None, "got None: is its `return` missing"),
        (lambda x: x.flatten(1)[:1], r"\[N, D\] for 2 images, got \[1, 4096\]"),
        (lambda x: x.flatten(1)[:, :2] * 1j, "must return numbers, got complex64"),
        (lambda x: x.to("meta").flatten(1), "that NumPy can read, got a Tensor"),
        (lambda x: sys.exit(3), "the encoder failed on images .*SystemExit"),
    ],
    ids=[
        *["tuple", "images", "scalar", "nan", "text", "dict", "distribution", "nothing"],
        *["rows", "complex", "meta", "exit"],
    ],
)
def test_what_is_no_code_is_refused(encoder, message):
    with pytest.raises(DisentangleError, match=message):
        score_encoder(encoder, "tiny", MIG, device="cpu")


def test_failure_of_the_encoder_itself_is_told():
    def boom(x):
        raise ZeroDivisionError("boom")

    with pytest.raises(DisentangleError, match=r"the encoder failed on images \[2, 1.*boom"):
        score_encoder(boom, "tiny", MIG, device="cpu")
    with pytest.raises(UsageError, match="a function of images, got int"):
        score_encoder(3, "tiny", MIG, device="cpu")
    with pytest.raises(UsageError, match="a function of images, got the class Flatten"):
        score_encoder(torch.nn.Flatten, "tiny", MIG, device="cpu")


def test_network_of_colour_images_gets_a_hint_for_grey_ones():
    network = torch.nn.Conv2d(3, 8, 3)
    with pytest.raises(
        DisentangleError, match=r"to have 3 channels.*`lambda x: encoder\(x\.expand"
    ):
        score_encoder(network, "tiny", MIG, device="cpu")


def test_encoder_that_changes_its_number_of_latents_is_refused():
    with pytest.raises(UsageError, match="expected 2, got 3"):
        score_encoder(lambda x: x.flatten(1)[:, : min(len(x), 3)], "tiny", MIG, device="cpu")


def test_module_is_evaluated_and_left_as_it_was():
    module = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(4096, 3)
    )
    module[1].eval()
    first, second = (score_encoder(module, "tiny", MIG, device="cpu") for _ in range(2))
    assert first == second
    assert (module.training, module[1].training, module[2].training) == (True, False, True)
    with evaluating(module, torch.device("cpu")):
        assert not module[2].training


def test_encoder_may_say_that_its_code_is_discrete():
    scores = score_encoder(lambda x: Code(corner(x), discrete=True), "tiny", ["infomec"])
    assert scores["infomec/infom"] > 0.9
    assert {record.key.knobs for record in scores.records} == {(("codes", "integer"),)}


def test_views_are_scored_and_recorded():
    data = load_dataset("tiny")
    found = score_encoder(corner, data, MIG, factors=["x", "y"], device="cpu")
    (record,) = found.records
    assert (record.factors, record.weights) == (("x", "y"), f"{__name__}:corner")
    held = score_encoder(corner, data.view(hold_out=["side=2"], split="test"), MIG, device="cpu")
    assert held.records[0].factors == ("x", "y")


def test_metrics_of_models_are_unavailable_to_a_bare_encoder():
    found = score_encoder(corner, "tiny", ["elbo", "reconstruction"], device="cpu")
    assert set(found.unavailable) == {"elbo", "reconstruction"}


@pytest.mark.parametrize(
    "metrics", ["mig", iter(["mig"]), ("mig",)], ids=["text", "iterator", "tuple"]
)
def test_metrics_are_named_in_any_way(metrics):
    said = []
    assert set(score_encoder(corner, "tiny", metrics, device="cpu", say=said.append)) == {"mig"}
    assert not said  # a line about time is for "all" of them


def test_failing_metric_is_named_and_costs_the_others_nothing():
    found = score_encoder(corner, "tiny", ["failing", "mig"], device="cpu")
    assert set(found) == {"mig"}
    assert "'failing' of strangers 3.1 failed: ZeroDivision" in found.failed["failing"]
    assert found.unavailable["failing"] == found.failed["failing"]


def test_failing_metric_of_arrays_fails_the_command(command, tmp_path):
    z = np.arange(100.0).reshape(50, 2)
    np.savez(tmp_path / "codes.npz", codes=z, factors=(z[:, :1] // 20).astype(int))
    code, out, err = command("score", "--codes", "codes.npz", "--metric", "failing")
    assert code == 1
    assert "n/a: metric 'failing' of strangers 3.1 failed" in out
    assert "error: metric 'failing' of strangers 3.1 failed" in err


def linear():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4096, 3)).eval()


def test_torchscript_file_is_an_encoder(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(linear(), torch.zeros(2, 1, 64, 64)).save(str(tmp_path / "m.pt"))
    encoder = load_encoder(str(tmp_path / "m.pt"))
    assert encoder.name == encoder.origin["file"]
    assert encoder.name.startswith("m.pt ")
    x = torch.rand(5, 1, 64, 64)
    assert torch.allclose(encoder.function(x), linear()(x))
    assert score_encoder(encoder.function, "tiny", MIG, device="cpu")


def test_exported_program_is_an_encoder(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = torch.export.Dim("batch")
        example = (torch.zeros(2, 1, 64, 64),)
        program = torch.export.export(linear(), example, dynamic_shapes=({0: batch},))
        torch.export.save(program, tmp_path / "m.pt2")
    encoder = load_encoder(str(tmp_path / "m.pt2"))
    assert score_encoder(encoder.function, "tiny", MIG, device="cpu")


class Pair(torch.nn.Module):
    """A network with two outputs."""

    def forward(self, x):
        return {"mean": x.mean((2, 3)), "largest": x.amax((2, 3))}


def test_output_of_an_exported_program_is_chosen_by_its_key(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = torch.export.Dim("batch")
        example = (torch.zeros(2, 1, 64, 64),)
        program = torch.export.export(Pair(), example, dynamic_shapes=({0: batch},))
        torch.export.save(program, tmp_path / "m:a=1.pt2")
    encoder = load_encoder(f"{tmp_path / 'm:a=1.pt2'}:output=largest")
    assert encoder.name.startswith("m:a=1.pt2 ")
    assert encoder.name.endswith(":output=largest")
    x = torch.rand(5, 1, 64, 64)
    assert torch.equal(encoder.function(x), x.amax((2, 3)))
    assert score_encoder(encoder, "tiny", MIG, device="cpu")
    with pytest.raises(UsageError, match=r"got a dict of mean \[2, 1\], largest \[2, 1\]"):
        score_encoder(str(tmp_path / "m:a=1.pt2"), "tiny", MIG, device="cpu")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nothing", "does not name an encoder"),
        ("nowhere:encode", "cannot be imported: No module named 'nowhere'"),
        ("math:nothing", "cannot be imported"),
        ("math:sqr", "cannot be imported: .*; did you mean 'sqrt'"),
        ("cornrs:8", "cannot be imported: No module named 'cornrs'; did you mean 'corners'"),
        ("math:sin:mean", "options are written OPTION=VALUE, as in `math:sin:output=mean`"),
        ("corners:8,size=32", "options follow a colon, `corners:8:size=32`"),
        ("math:pi", "must be callable, got type float"),
        ("torch.nn:Identity", r"is a class: write `encoder = Identity\(\)`"),
        (".relative:encode", "is a relative import: expected module:attribute, path/file.py"),
        ("./nowhere:encode", r"no Python file nowhere\.py"),
        ("nowhere.py:encode", r"no Python file nowhere\.py"),
        ("absent.pt", "no such file"),
    ],
)
def test_reference_to_nothing_is_refused(reference, message):
    with pytest.raises(DisentangleError, match=message):
        load_encoder(reference)


def test_file_that_is_no_encoder_is_refused(tmp_path):
    for name in ("m.pt", "m.pt2"):
        (tmp_path / name).write_bytes(b"\0not this")
        with pytest.raises(DisentangleError, match="neither a TorchScript file nor an exported"):
            load_encoder(str(tmp_path / name))


class Mine(torch.nn.Linear):
    """A network that a file can hold pickled only."""


def test_file_of_torch_save_is_refused_with_the_remedy(tmp_path):
    torch.save(Mine(2, 2), tmp_path / "whole.pt")
    torch.save({"state": Mine(2, 2).state_dict(), "step": 3}, tmp_path / "weights.pt")
    with pytest.raises(
        DisentangleError, match=r"a pickled Mine.*`net = torch\.load\(.*FILE\.py:net"
    ):
        load_encoder(str(tmp_path / "whole.pt"))
    (tmp_path / "weights.safetensors").write_bytes(b"\x10")
    for name in ("weights.pt", "weights.safetensors"):
        with pytest.raises(DisentangleError, match=r"a state dict.*`disentangle import FILE"):
            load_encoder(str(tmp_path / name))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "got an empty file"),
        (b"hello", "got a text file"),
        (b"<!DOCTYPE html><title>Quota exceeded</title>", r"got a web page \('Quota exceeded'\)"),
        (b"\x80\x02}q\x00.", "a pickle, as `torch.save"),
    ],
)
def test_file_of_another_kind_is_named(tmp_path, content, message):
    (tmp_path / "m.pt").write_bytes(content)
    with pytest.raises(DisentangleError, match=message):
        load_encoder(str(tmp_path / "m.pt"))


@pytest.mark.parametrize(
    "reference",
    ["backbones:net", "./backbones:net", "backbones.py:net", "{folder}/backbones.py:net"],
)
def test_encoder_is_found_in_a_python_file_however_it_is_named(tmp_path, monkeypatch, reference):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "backbones", raising=False)
    (tmp_path / "backbones.py").write_text("from pooled import net\n")
    (tmp_path / "pooled.py").write_text("def net(x):\n    return x.mean((1, 2))\n")
    encoder = load_encoder(reference.format(folder=tmp_path))
    assert encoder.function(torch.ones(2, 1, 4, 4)).shape == (2, 4)
    assert encoder.name == encoder.origin["reference"] == reference.format(folder=tmp_path)
    monkeypatch.delitem(sys.modules, "backbones")
    monkeypatch.delitem(sys.modules, "pooled")


OUTPUTS = """
import torch
from collections import namedtuple

def vector(x):
    return x.flatten(1)[:, :3]

def tokens(x):
    return torch.stack([vector(x), vector(x) + 2], 1)

def pair(x):
    return vector(x), vector(x) - 5

def named(x):
    return {"mean": vector(x), "tokens": tokens(x), "pixels": x.expand(-1, 3, -1, -1)}

def by_field(x):
    return namedtuple("Posterior", ["mean", "scale"])(vector(x), vector(x) - 5)

net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5))
"""


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """The path of a file of encoders that return more than one array."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "outputs.py").write_text(OUTPUTS)
    yield tmp_path / "outputs.py"
    sys.modules.pop("outputs", None)


@pytest.mark.parametrize(
    ("choice", "value"),
    [
        ("pair:output=1", -4),
        ("named:output=mean", 1),
        ("named:output=tokens,pool=mean", 2),
        ("named:output=tokens,pool=cls", 1),
        ("named:output=pixels,pool=mean", 1),
        ("by_field:output=scale", -4),
        ("tokens:pool=cls", 1),
    ],
)
def test_one_of_several_outputs_is_chosen_by_key_or_index(outputs, choice, value):
    encoder = load_encoder(f"{outputs}:{choice}")
    codes = encoder.function(torch.ones(2, 1, 4, 4))
    np.testing.assert_array_equal(codes, np.full((2, 3), value))
    assert encoder.name == f"{outputs}:{choice}"


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("pair:output=2", r"no output '2': 0 \[2, 3\], 1 \[2, 3\].*`:output=0`"),
        ("named:output=z", r"no output 'z': mean \[2, 3\], tokens \[2, 2, 3\].*`:output=mean`"),
        ("pair:pool=mean", r"returns a tuple: 0 \[2, 3\]"),
        ("vector:output=0", "returns one Tensor, so there is no output '0'"),
        ("vector:pool=cls", r"pool=cls needs tokens \[N, T, D\], got \[2, 3\]"),
        ("tokens:pool=max", "pool must be cls or mean, got 'max'"),
        ("pair:outputs=1", "has no option 'outputs'; did you mean 'output'"),
        ("pair:output=1:pool=mean", "separate options by commas, output=1,pool=mean"),
    ],
)
def test_output_that_is_not_there_is_refused_with_those_that_are(outputs, choice, message):
    with pytest.raises(UsageError, match=message):
        load_encoder(f"{outputs}:{choice}").function(torch.ones(2, 1, 4, 4))


def test_module_whose_output_is_chosen_is_evaluated_too(outputs):
    encoder = load_encoder(f"{outputs}:net:output=0").function
    with evaluating(encoder, torch.device("cpu")):
        assert not encoder.network[1].training


def test_error_of_a_choice_is_not_taken_for_a_failure_of_the_encoder(outputs):
    with pytest.raises(UsageError, match=r"^the encoder returns a dict: mean"):
        score_encoder(f"{outputs}:named:pool=mean", "tiny", MIG, device="cpu")


def test_encoder_of_an_installed_package_is_named_by_its_prefix(command):
    encoder = load_encoder("Corners:8:size=32")
    assert encoder.function(torch.ones(2, 1, 64, 64)).shape == (2, 16)
    assert dict(encoder.origin) == {
        "reference": "corners:8:size=32",
        "library": "strangers 3.1",
        "preprocessing": "grey, 32 x 32 pixels (bilinear)",
    }
    _, out, _ = command("list", "encoders")
    assert "corners      Corners of images: an encoder of somebody else's (strangers 3.1)" in out
    code, out, _ = command(
        *("score", "--encoder", "corners:8", "--dataset", "tiny", "--metric", MIG[0]),
        *("--device", "cpu"),
    )
    assert (code, out.split()[0]) == (0, "mig")
    code, _, err = command("score", "--encoder", "corners:x", "--dataset", "tiny")
    assert (code, err) == (2, "error: expected corners:COUNT, got 'corners:x'\n")


def test_file_named_as_a_module_that_is_loaded_is_not_taken_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "torch.py").write_text("def net(x):\n    return 7\n")
    assert load_encoder(f"{tmp_path}/torch.py:net").function(0) == 7
    assert sys.modules["torch"] is torch


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "\nnet = undefined\n",
            r"NameError: name 'undefined' is not defined \(broken\.py, line 2\)",
        ),
        ("def net(x:\n", r"SyntaxError: .*broken\.py, line 1"),
        ("import sys\nsys.exit(3)\n", r"SystemExit: 3; .*\(broken\.py, line 2\)"),
        ("import nonesuch\n", r"No module named 'nonesuch' \(broken\.py, line 1\)"),
        ("", "has no attribute 'net'"),
    ],
)
@pytest.mark.parametrize("reference", ["broken:net", "./broken.py:net"])
def test_failing_import_names_the_users_line(tmp_path, monkeypatch, source, message, reference):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    (tmp_path / "broken.py").write_text(source)
    with pytest.raises(UsageError, match=message) as caught:
        load_encoder(reference)
    assert "\n" not in str(caught.value)
    sys.modules.pop("broken", None)


def test_encoder_that_samples_is_named_and_not_the_metric():
    with pytest.warns(InputWarning) as told:
        score_encoder(lambda x: corner(x) + torch.randn(len(x), 3), "tiny", MIG, device="cpu")
    assert [str(w.message).partition(",")[0] for w in told] == [
        "the encoder returns different codes for the same images"
    ]


def test_encoder_moves_no_generator_of_others():
    def moving(x):
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        return corner(x)

    before = global_states()
    score_encoder(moving, "tiny", MIG, device="cpu")
    for a, b in zip(before, global_states(), strict=True):
        assert str(a) == str(b)


def test_codes_that_depend_on_the_batch_are_told():
    norm = torch.nn.BatchNorm1d(3)  # in training mode, hidden in a function
    with pytest.warns(InputWarning, match="depends on the other images of its batch"):
        score_encoder(lambda x: norm(corner(x)), "tiny", MIG, device="cpu")


def test_seed_and_images_are_checked():
    with pytest.raises(UsageError, match="seed must be"):
        score_encoder(corner, "tiny", MIG, seed=-1)
    with pytest.raises(UsageError, match="takes must be 'float' or 'uint8', got 'int'"):
        score_encoder(corner, "tiny", MIG, takes="int", device="cpu")


def test_source_is_abstract_where_it_has_to_be():
    assert Source.__abstractmethods__ == {"latents", "codes", "posterior"}


ORDER = ["mcc", "sap-r2", "irs"]
POWERS = np.stack(np.meshgrid(range(2), 2 ** np.arange(6), range(4), indexing="ij"), -1)


@pytest.fixture
def powers(tmp_path):
    """A dataset whose second factor is 1, 2, 4 ... 32, and an encoder that returns the factors."""
    factors = POWERS.reshape(-1, 3)
    images = np.zeros((len(factors), 32, 32), np.uint8)
    images[:, 0, :3] = factors
    np.savez(tmp_path / "powers.npz", images=images, factors=factors, names=["two", "power", "x"])
    data = load_dataset(str(tmp_path / "powers.npz"), data_dir=tmp_path / "data")
    return data, lambda x: x[:, 0, 0, :3].double()


def every_row(metrics, data):
    return [f"{metric}:samples={len(data)}" for metric in metrics]


def test_codes_equal_to_the_factors_correlate_perfectly_whatever_their_spacing():
    v = POWERS.reshape(-1, 3)
    found = score_codes(v, v, metrics=["mcc", "sap-r2", "mcc:correlation=spearman"])
    assert [*found.values()] == pytest.approx([1, 1, 1])
    curved = np.stack([v[:, 0], np.log2(v[:, 1]), v[:, 2]], 1)
    r = np.corrcoef(curved[:, 1], v[:, 1])[0, 1]
    found = score_codes(curved, v, metrics=["mcc", "sap-r2"])
    assert found["mcc"] == pytest.approx((2 + r) / 3)
    assert found["sap-r2"] == pytest.approx((2 + r**2) / 3)


def test_encoder_and_codes_score_alike_on_the_same_rows(powers, monkeypatch):
    data, encode = powers
    monkeypatch.setattr(Source, "draw", lambda self, n, rng: np.arange(n))
    z = np.log2(1 + POWERS.reshape(-1, 3)) @ [[1, 0.2, 0], [0, 1, 0.3], [0.1, 0, 1]]
    of_codes = score_codes(z, POWERS.reshape(-1, 3), metrics=every_row(ORDER, data))
    weights = torch.tensor([[1, 0.2, 0], [0, 1, 0.3], [0.1, 0, 1]], dtype=torch.float64)
    of_encoder = score_encoder(
        lambda x: torch.log2(1 + encode(x)) @ weights,
        data,
        every_row(ORDER, data),
        takes="uint8",
        device="cpu",
    )
    assert of_encoder == pytest.approx(dict(of_codes), abs=1e-12)
    assert of_codes["mcc"] < 0.97


def test_oracle_is_perfect_for_unevenly_spaced_numbers(powers, tmp_path):
    found = baselines(powers[0], ["mcc"], only=["oracle"], results=tmp_path, device="cpu")
    assert found["oracle"]["mcc"] == pytest.approx(1)


def test_digest_of_codes_changes_with_the_numbers_behind_the_labels():
    z = np.zeros((6, 1))
    digests = {
        array_source(z, np.array(v * 2)[:, None]).digest for v in ([0, 1, 2], [0, 1, 3], [0, 1, 4])
    }
    assert len(digests) == 3


def test_words_are_factors_and_their_order_is_said():
    v = np.arange(60) % 3
    words = np.array(["cube", "ball", "cone"])[v]
    with pytest.warns(InputWarning, match=r"ordered alphabetically \(shape: ball, cone, cube\)"):
        found = score_codes(v[:, None], words[:, None], metrics=["mig"], names=["shape"])
    assert found == score_codes(v[:, None], v[:, None], metrics=["mig"])


@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_digits_of_an_encoder_are_kept(powers, monkeypatch, offset):
    data, encode = powers
    monkeypatch.setattr(Source, "draw", lambda self, n, rng: np.arange(n))
    v = POWERS.reshape(-1, 3)
    metrics = every_row(["mig", "mcc"], data)
    expected = score_codes(v + 0.5 + offset, v, metrics=metrics)
    found = score_encoder(
        lambda x: encode(x) + 0.5 + offset, data, metrics, takes="uint8", device="cpu"
    )
    assert found == pytest.approx(dict(expected))
    assert found["mig"] == pytest.approx(score_codes(v, v, metrics=metrics)["mig"])


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        (torch.float16, np.float32),
        (torch.bfloat16, np.float32),
        (torch.float32, np.float32),
        (torch.float64, np.float64),
        (torch.int64, np.float64),
        (torch.bool, np.float64),
    ],
)
def test_codes_of_any_type_are_taken(dtype, kept):
    codes = as_codes(torch.ones(2, 3, dtype=dtype, requires_grad=dtype.is_floating_point).T, 3)
    assert (codes.dtype, codes.shape, codes.sum()) == (kept, (3, 2), 6)


def test_later_batches_of_more_digits_are_kept(tmp_path):
    calls = []

    def growing(x):
        calls.append(len(x))
        codes = corner(x).double() + 1e8
        return codes.float() if len(calls) < 2 else codes

    source = FunctionSource(growing, load_dataset("tiny"))
    assert len(np.unique(source.codes(np.arange(2, 75)))) > 3


def test_few_rows_are_told():
    v = np.arange(8)[:, None] % 2
    with pytest.warns(InputWarning, match="computed from only 8 rows of codes"):
        assert score_codes(v, v, metrics=["mcc"])["mcc"] == pytest.approx(1)


def test_encoder_of_a_run_has_the_scores_of_the_run(run):
    scores = score_encoder(run.encoder, run.dataset, ["mig", "mcc"], device="cpu")
    assert scores == pytest.approx(score(run, ["mig", "mcc"], device="cpu"), abs=0.01)


def test_run_in_place_of_its_encoder_is_refused_with_what_to_give(tmp_path):
    class Run:
        encoder = None

    with pytest.raises(UsageError, match=r"a function of images, got Run; give its `\.encoder`"):
        score_encoder(Run(), "tiny", MIG, device="cpu")
    (tmp_path / "run.json").touch()
    with pytest.raises(UsageError, match=r"a run, which `disentangle score .*`run\.encoder`"):
        load_encoder(str(tmp_path))
