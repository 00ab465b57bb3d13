"""Importing weights: a public layout, our own, and what does not match."""

import numpy as np
import pytest
import torch
from helpers.table_texts import texts
from safetensors.torch import save_file
from torch import nn

from disentangle.contracts import registry
from disentangle.contracts.model import Posterior
from disentangle.data.loading import load_dataset
from disentangle.data.weight_files import read_state
from disentangle.errors import DisentangleError, UsageError
from disentangle.reports.run_page import origins
from disentangle.runs.named import load_run
from disentangle.score_tables.build import make_tables
from disentangle.scoring.score_runs import score
from disentangle.training.import_weights import fit_state, import_weights
from disentangle.training.train import resume, train
from disentangle_plugins.models.vae import VAE

pytestmark = pytest.mark.usefixtures("strangers")
X = torch.rand((5, 1, 64, 64), generator=torch.Generator().manual_seed(0))
D = 4


class Encoder(nn.Module):
    """The public encoder: names, order and interleaved outputs as they are there."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 4, 2, 1)
        self.conv2, self.conv3, self.conv_64 = (nn.Conv2d(32, 32, 4, 2, 1) for _ in range(3))
        self.lin1, self.lin2 = nn.Linear(512, 256), nn.Linear(256, 256)
        self.mu_logvar_gen = nn.Linear(256, 2 * D)

    def forward(self, x):
        for layer in (self.conv1, self.conv2, self.conv3, self.conv_64):
            x = layer(x).relu()
        x = self.lin2(self.lin1(x.flatten(1)).relu()).relu()
        return self.mu_logvar_gen(x).view(-1, D, 2).unbind(-1)


class Decoder(nn.Module):
    """The public decoder."""

    def __init__(self):
        super().__init__()
        self.lin1, self.lin2, self.lin3 = (
            nn.Linear(D, 256),
            nn.Linear(256, 256),
            nn.Linear(256, 512),
        )
        self.convT_64, self.convT1, self.convT2 = (
            nn.ConvTranspose2d(32, 32, 4, 2, 1) for _ in range(3)
        )
        self.convT3 = nn.ConvTranspose2d(32, 1, 4, 2, 1)

    def forward(self, z):
        for layer in (self.lin1, self.lin2, self.lin3):
            z = layer(z).relu()
        z = z.view(-1, 32, 4, 4)
        for layer in (self.convT_64, self.convT1, self.convT2):
            z = layer(z).relu()
        return self.convT3(z).sigmoid()


class Public(nn.Module):
    def __init__(self):
        super().__init__()
        # The decoder first: what counts is the names, not the order in which they are stored.
        self.decoder, self.encoder = Decoder(), Encoder()


@pytest.fixture
def public(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Public()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    return model


def imported(path, tmp_path, **options):
    given = {"model": "beta-vae", "dataset": "tiny", "latents": D, "network": "burgess", **options}
    return import_weights(path, results=tmp_path / "results", **given)


def test_public_weights_give_the_public_models_outputs(public, tmp_path):
    run = imported(tmp_path / "model.pt", tmp_path, layout="disentangling-vae", beta=4.0)
    with torch.no_grad():
        mean, log_variance = public.encoder(X)
        images = public.decoder(mean)
    code = run.code(X)
    assert torch.allclose(code.mean, mean, atol=1e-5)
    assert torch.allclose(code.log_variance, log_variance, atol=1e-5)
    assert torch.allclose(run.decode(mean), images, atol=1e-5)


def test_imported_run_is_scored_and_says_where_it_is_from(public, tmp_path):
    run = imported(tmp_path / "model.pt", tmp_path, layout="disentangling-vae")
    assert run.finished
    assert run.record.imported.startswith("model.pt ")
    assert "mig" in score(run, ["mig"])
    (table,) = make_tables([run])
    assert texts(table)[0][3] == "imported"
    assert "from model.pt" in texts(table)[0][1]
    told = imported(tmp_path / "model.pt", tmp_path, layout="disentangling-vae", steps=345_600)
    assert texts(make_tables([told])[0])[0][3] == "345,600"


def test_same_import_is_the_same_run_and_other_weights_another(public, tmp_path):
    first = imported(tmp_path / "model.pt", tmp_path, layout="disentangling-vae")
    assert imported(tmp_path / "model.pt", tmp_path, layout="disentangling-vae").path == first.path
    state = {k: v + 1 for k, v in public.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "model.pt")
    other = imported(tmp_path / "model.pt", tmp_path, layout="disentangling-vae")
    assert other.path != first.path


def test_own_weights_come_back(run, tmp_path):
    save_file(dict(run.model.state_dict()), tmp_path / "own.safetensors")
    options = {"latents": run.model.latents, "network": run.record.knobs["network"]}
    again = imported(tmp_path / "own.safetensors", tmp_path, **options)
    x = load_dataset("tiny").images([1, 5])
    assert torch.equal(again.encode(x), run.encode(x))
    from_checkpoint = imported(run.checkpoint_path, tmp_path, **options)
    assert torch.equal(from_checkpoint.encode(x), run.encode(x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "own"}, r"missing: encoder\.0\.weight.*unexpected: "),
        (
            {"layout": "disentangling-vae", "latents": 6},
            r"shapes: encoder\.\d+\.weight .* got \[8, 256\]",
        ),
        ({"layout": "disentangling-vae", "network": "conv"}, "the weights do not match this model"),
        ({"layout": "nope"}, "no layout 'nope'"),
        ({"layout": "own", "betta": 4}, "has no option 'betta'"),
    ],
)
def test_what_does_not_match_is_named(public, tmp_path, options, message):
    with pytest.raises(DisentangleError, match=message):
        imported(tmp_path / "model.pt", tmp_path, **options)
    assert not (tmp_path / "results").exists()


def test_images_in_another_folder_are_found_again(public, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "here").mkdir()
    images = np.random.default_rng(0).integers(0, 255, (12, 64, 64), dtype=np.uint8)
    np.savez(tmp_path / "data/mine.npz", images=images)
    monkeypatch.chdir(tmp_path / "here")
    run = imported(
        tmp_path / "model.pt", tmp_path, dataset="../data/mine.npz", layout="disentangling-vae"
    )
    monkeypatch.chdir(tmp_path)
    loaded = load_run(run.path)
    assert loaded.record.dataset.file == str(tmp_path / "data/mine.npz")
    assert len(loaded.dataset) == 12


def test_file_without_an_opponent_is_a_run_that_scores(public, tmp_path):
    said = []
    run = imported(
        tmp_path / "model.pt",
        tmp_path,
        model="factor-vae",
        layout="disentangling-vae",
        say=said.append,
    )
    assert said == [
        "model.pt has no discriminator (14 tensors): encoding and decoding need no more, but "
        "the run cannot be trained further"
    ]
    loaded = load_run(run.path)
    assert {name.partition(".")[0] for name in loaded.record.absent} == {"discriminator"}
    assert origins(loaded.record)["not in that file"] == "discriminator (14 tensors)"
    with torch.no_grad():
        assert torch.allclose(loaded.encode(X), public.encoder(X)[0], atol=1e-5)
    assert {"mig", "elbo/kl"} <= set(score(loaded, ["mig", "elbo:samples=10"]))
    with pytest.raises(
        UsageError, match=r"cannot be trained further, as the imported file had no "
    ):
        resume(loaded)


def test_file_with_an_opponent_lacks_nothing(strangers, tmp_path):
    trained = train("factor-vae", "tiny", steps=1, batch_size=8, figures=False, results=tmp_path)
    save_file(dict(trained.model.state_dict()), tmp_path / "own.safetensors")
    said = []
    run = imported(
        tmp_path / "own.safetensors",
        tmp_path,
        model="factor-vae",
        latents=10,
        network="conv",
        say=said.append,
    )
    assert (run.record.absent, said) == ((), [])
    assert resume(run, figures=False).finished  # nothing is left to do


@pytest.mark.parametrize(
    ("model", "options", "tensor"),
    [
        ("qlae", {}, "codebook"),  # which no gradient reaches from a code
        ("qvae", {}, "codebook"),
        ("beta-vae", {"likelihood": "gaussian-learned"}, "log_variance"),  # of p(x|z)
        ("factor-vae", {}, "decoder.0.weight"),
        ("vae", {}, "encoder.0.bias"),
    ],
)
def test_what_codes_images_or_their_likelihood_need_is_asked_for(model, options, tensor, tmp_path):
    kind = registry.models.load(model)(latents=D, **options)
    kind.build((1, 64, 64))
    state = {k: v for k, v in kind.state_dict().items() if k != tensor}
    save_file(state, tmp_path / "part.safetensors")
    with pytest.raises(DisentangleError, match=rf"missing: {tensor}\. Check the layout"):
        imported(tmp_path / "part.safetensors", tmp_path, model=model, network="conv", **options)


def test_weights_of_the_loss_alone_are_not_asked_for(tmp_path):
    """Any parameter that only `terms` reads, not the opponent of FactorVAE alone."""
    model = Weighted(latents=D)
    model.build((1, 64, 64))
    model.load_state_dict({k: v + 1 for k, v in model.state_dict().items()})
    state = model.state_dict()
    del state["loss_weight"], state["steps_seen"]
    weights, absent = fit_state(state, model, load_dataset("tiny"), tmp_path / "model.pt")
    assert set(absent) == {"loss_weight", "steps_seen"}
    assert torch.equal(weights["loss_weight"], torch.ones(2))
    assert torch.equal(weights["encoder.0.weight"], state["encoder.0.weight"])


class Weighted(VAE):
    """A model with a parameter and a counter that its loss alone reads."""

    def build(self, image_shape):
        super().build(image_shape)
        self.loss_weight = nn.Parameter(torch.zeros(2))
        self.register_buffer("steps_seen", torch.zeros((), dtype=torch.long))


class Buffered(VAE):
    """A model whose codes depend on buffers of several types, beside one of its loss."""

    def build(self, image_shape):
        super().build(image_shape)
        self.register_buffer("order", torch.arange(self.latents))  # which is an index
        self.register_buffer("kept", torch.ones(self.latents, dtype=torch.bool))
        self.register_buffer("scale", torch.full((self.latents,), 1e9))  # 1e9 + 1 is 1e9
        self.register_buffer("shares", torch.zeros(self.latents))  # all + 1 are the same shares
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))
        self.register_buffer("empty", torch.zeros(0))

    def encode(self, x):
        code = super().encode(x)
        mean = code.mean[:, self.order] * self.kept * (self.scale / 1e9) * self.shares.softmax(0)
        return Posterior(mean, code.log_variance)


@pytest.fixture
def buffered():
    model = Buffered(latents=D)
    model.build((1, 64, 64))
    return model


def without(model, *names):
    return {k: v.clone() for k, v in model.state_dict().items() if k not in names}


def test_buffers_of_the_loss_alone_may_be_all_that_a_file_lacks(buffered, tmp_path):
    weights, absent = fit_state(
        without(buffered, "seen", "empty"), buffered, load_dataset("tiny"), tmp_path / "model.pt"
    )
    assert set(absent) == {"seen", "empty"}
    assert list(weights) == list(buffered.state_dict())
    assert weights["seen"] == 0


@pytest.mark.parametrize("name", ["order", "kept", "scale", "shares"])
def test_buffer_that_codes_need_is_asked_for(buffered, name, tmp_path):
    before = {k: v.clone() for k, v in buffered.state_dict().items()}
    with pytest.raises(DisentangleError, match=rf"missing: {name}\. Check the layout"):
        fit_state(
            without(buffered, name, "seen"), buffered, load_dataset("tiny"), tmp_path / "model.pt"
        )
    assert all(torch.equal(v, before[k]) for k, v in buffered.state_dict().items())


def test_file_that_lacks_buffers_only_is_a_run_that_cannot_be_resumed(buffered, tmp_path):
    path = tmp_path / "part.safetensors"
    save_file(without(buffered, "seen", "empty"), path)
    said = []
    run = imported(path, tmp_path, model=Buffered, network="conv", say=said.append)
    assert said == [
        "part.safetensors has no seen (1 tensor) and empty (1 tensor): encoding and decoding need "
        "no more, but the run cannot be trained further"
    ]
    with torch.no_grad():
        assert torch.allclose(load_run(run.path).encode(X), buffered.encode(X).mean, atol=1e-6)
    with pytest.raises(UsageError, match=r"had no seen \(1 tensor\) and empty"):
        resume(run)


class Bomb:
    def __reduce__(self):
        return print, ("boom",)


def test_nothing_is_unpickled(tmp_path, capsys):
    torch.save({"encoder.conv1.weight": Bomb()}, tmp_path / "bomb.pt")
    with pytest.raises(
        DisentangleError, match=r"got a pickle of \S+\.print, which is never loaded"
    ):
        imported(tmp_path / "bomb.pt", tmp_path)
    assert "boom" not in capsys.readouterr().out
    with pytest.raises(DisentangleError, match="no such file"):
        imported(tmp_path / "absent.pt", tmp_path)


def cut(path):
    torch.save({"weight": torch.ones(3000)}, path)
    path.write_bytes(path.read_bytes()[:6000])


def arrays(path):
    with path.open("wb") as file:
        np.savez(file, a=X, b=X)


PAGE = "<!DOCTYPE html><html><title>Quota\nexceeded</title>"
WRONG = {
    "module": (
        lambda path: torch.save(nn.Linear(2, 2), path),
        r"expected a state dict, .* got a pickle of torch\.nn\.\S+, which is never",
    ),
    "list": (lambda path: torch.save([torch.ones(1)], path), "got a list without named"),
    "numbers": (lambda path: torch.save({"loss": 0.5}, path), "got a dict without named"),
    "empty": (lambda path: path.touch(), r"it is an empty file: get it again"),
    "text": (lambda path: path.write_text("hello"), "got a text file"),
    "page": (lambda path: path.write_text(PAGE), r"a web page \('Quota exceeded'\), .* again"),
    "pointer": (lambda path: path.write_text("version https://git-lfs.gi"), "`git lfs pull`"),
    "noise": (lambda path: path.write_bytes(bytes(range(99))), "got something else"),
    "truncated": (cut, "got a damaged or truncated zip file"),
    "npz": (arrays, "got an npz file"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_file_that_holds_no_state_dict_is_described(tmp_path, wrong):
    write, message = WRONG[wrong]
    write(tmp_path / "weights.pt")
    with pytest.raises(DisentangleError, match=rf"cannot use .*weights.pt as weights: .*{message}"):
        read_state(tmp_path / "weights.pt")


def test_weights_that_are_not_finite_are_refused(public, tmp_path):
    state = {k: v * torch.nan for k, v in public.state_dict().items()}
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(DisentangleError, match="not finite"):
        imported(tmp_path / "model.pt", tmp_path, layout="disentangling-vae")


def test_import_command(public, command, tmp_path):
    words = [
        "model.pt",
        "--model",
        "beta-vae",
        "--dataset",
        "tiny",
        "--layout",
        "disentangling-vae",
    ]
    code, out, err = command("import", *words, "--set", "beta=4", "--set", f"latents={D}")
    assert code == 0, err
    assert (tmp_path / out.strip() / "checkpoint.safetensors").exists()
    code, _, err = command("import", *words, "--set", "beta")
    assert code == 2
    assert UsageError.exit_code == 2


def test_name_in_another_case_is_the_same_run(public, command, tmp_path):
    words = ["model.pt", "--dataset", "tiny", "--layout", "disentangling-vae"]
    words += ["--set", f"latents={D}"]
    paths = [command("import", *words, "--model", name)[1] for name in ("beta-vae", "Beta-VAE")]
    assert paths[0] == paths[1] != ""
