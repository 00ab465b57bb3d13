"""Networks in a page's data: what is left out of it, and why."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import disentangle
from disentangle.nn import Residual
from disentangle.nn.layers import ToImage
from disentangle.nn.likelihoods import Bernoulli
from disentangle.reports import pages
from disentangle.reports.network_data import (
    LIMIT,
    latents_error,
    live_networks,
    network,
    packed,
)
from disentangle.reports.page_functions import (
    FUNCTIONS,
    Layer,
    UnknownLayer,
    rounded,
    run_layers,
    tensor,
)
from disentangle.reports.page_layers import WALKS, layers_of

RESULTS = Path(__file__).parents[2] / "results"
WAY_OUT = (
    " A module can name layers that compute the same in a method `page_layers`, and a model in "
    "`page_decoder` and `page_encoder`."
)


class Twice(nn.Module):
    """A layer that no page knows."""

    def forward(self, x):
        return 2 * x


class Squared(nn.Linear):
    """A linear layer with a `forward` of its own."""

    def forward(self, x):
        return super().forward(x) ** 2


class Kind(nn.Linear):
    """A linear layer under another name."""


class Named(Twice):
    """A layer that names what computes the same, from a list that a test fills."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = layers

    def page_layers(self):
        return self.layers


def why(run, limit=LIMIT):
    networks = live_networks(run, limit)
    assert all((networks[part] is None) == (part in networks["why"]) for part in PARTS)
    return networks["why"]


PARTS = ("decoder", "encoder")


def behind_decoder(run, layer):
    """The run with a layer behind its decoder."""
    run.model.decoder = nn.Sequential(run.model.decoder, layer).eval()
    return run


def test_both_networks_of_a_run_are_in_the_data(run):
    networks = live_networks(run)
    assert networks["why"] == {}
    assert networks["image_shape"] == [1, 64, 64]
    assert networks["decoder"]["outputs"] == ["image"]
    assert networks["encoder"]["outputs"] == ["mean", "deviation"]
    assert networks["decoder"]["shape"] == [run.model.latents]
    assert networks["decoder"]["layers"][-1]["shape"] == [1, 64, 64]


def test_data_of_the_same_run_are_the_same(run):
    assert live_networks(run) == live_networks(run)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Twice(), "layer `Twice` is unknown."),
        (Squared(64, 64), "layer `Squared` is unknown."),
        (nn.Sequential(nn.Identity(), Residual(Twice())), "layer `Twice` is unknown."),
        (Named(nn.Identity(), Twice()), "layer `Twice` is unknown."),
        (
            nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"),
            "layer `Conv2d` has padding_mode='reflect', which a page does not support.",
        ),
        (
            nn.Upsample((64, 64), mode="bicubic"),
            "layer `Upsample` has mode='bicubic', which a page does not support.",
        ),
        (
            nn.BatchNorm2d(1, track_running_stats=False),
            "layer `BatchNorm2d` normalises by its batch.",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layer_that_is_unknown_is_named(layer, reason, run):
    reasons = why(behind_decoder(run, layer))
    assert reasons == {"decoder": f"The decoder is not in this page: {reason}{WAY_OUT}"}


@pytest.mark.parametrize("layers", [None, [3], [nn.Linear(3, 3)]], ids=str)
def test_layer_that_names_nonsense_is_a_reason_and_no_traceback(layers, run):
    layer = Named()
    layer.layers = layers
    reasons = why(behind_decoder(run, layer))
    assert list(reasons) == ["decoder"]
    assert reasons["decoder"].startswith("The decoder is not in this page: ")
    assert "<!doctype html>" in pages.run_page(run)


def test_layer_that_names_itself_is_a_reason(run):
    layer = Named()
    layer.layers = [layer]
    assert "RecursionError" in why(behind_decoder(run, layer))["decoder"]


def test_layers_that_a_module_names_wrongly_are_not_used(run):
    reason = why(behind_decoder(run, Named(nn.Identity())))["decoder"]
    assert "with the layers and weights of 16 bits of a page its pixels would differ" in reason


def test_layers_that_a_module_names_are_used(run):
    behind_decoder(run, Named(Residual()))  # x + x
    assert why(run) == {}
    z = torch.randn(2, run.model.latents)
    layers, _ = layers_of([run.model.decoder], (run.model.latents,))
    assert [layer.kind for layer in layers][-1] == "residual"
    torch.testing.assert_close(run_layers(layers, z).sigmoid(), run.decode(z), atol=1e-3, rtol=0)


def test_decode_of_a_models_own_is_not_taken_for_the_decoder(run, monkeypatch):
    decode = run.model.decode
    monkeypatch.setattr(run.model, "decode", lambda z: -decode(z) + 1)
    words = "`decode` computes more than the modules of `page_decoder`: without it its pixels would"
    assert words in why(run)["decoder"]


def test_encode_of_a_models_own_is_not_taken_for_the_encoder(run, monkeypatch):
    encode = run.model.encode
    monkeypatch.setattr(run.model, "encode", lambda x: replace(encode(x), mean=encode(x).mean + 1))
    words = "`encode` computes more than the modules of `page_encoder`: without it its latents"
    assert words in why(run)["encoder"]


def test_code_of_another_size_than_the_encoders_outputs_is_a_reason(run, monkeypatch):
    monkeypatch.setattr(
        run.model, "encode", lambda x: disentangle.Code(run.model.encoder(x).chunk(2, 1)[0])
    )
    size = run.model.latents
    expected = f"expected outputs [{size}] of its layers, got [{2 * size}]."
    assert expected in why(run)["encoder"]


def test_model_without_an_encoder_of_that_name_is_a_reason(run, monkeypatch):
    monkeypatch.setattr(
        run.model, "encode", lambda x: disentangle.Code(torch.zeros(len(x), run.model.latents))
    )
    del run.model.encoder
    assert "AttributeError" in why(run)["encoder"]


def test_likelihood_of_a_third_party_is_a_reason(run, monkeypatch):
    class Poisson(Bernoulli):
        pass

    monkeypatch.setattr(type(run.model), "observation", Poisson())
    assert "likelihood `Poisson` is unknown." in why(run)["decoder"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weight_that_is_not_finite_is_a_reason(value, run):
    run.model.decoder[0].weight.data[0, 0] = value
    run.model.encoder[0].bias.data[0] = value
    reasons = why(run)
    assert list(reasons) == list(PARTS)
    end = "its weights are not all finite, as after a training that diverged."
    assert all(text.endswith(end) for text in reasons.values())


def test_network_above_the_limit_is_left_out_and_the_limit_it_needs_is_named(run):
    sizes = {part: len(live_networks(run)[part]["weights"]) / 1e6 for part in PARTS}
    decoder = f"its weights take {sizes['decoder']:.1f} MB, more than 0.5 MB. Run "
    encoder = f"its weights take {sizes['encoder']:.1f} MB, more than 0.5 MB. Run "
    reasons = why(run, 0.5)
    assert decoder in reasons["decoder"]
    assert "`disentangle report RUN --network-limit 2` to include it." in reasons["decoder"]
    assert encoder in reasons["encoder"]


def test_decoder_comes_first_and_the_encoder_has_what_is_left(run):
    sizes = {part: len(live_networks(run)[part]["weights"]) / 1e6 for part in PARTS}
    limit = sizes["decoder"] + 0.1
    reasons = why(run, limit)
    assert list(reasons) == ["encoder"]
    assert "more than the 0.1 MB that are left. Run " in reasons["encoder"]
    assert why(run, sum(sizes.values()) + 0.01) == {}


def test_quantised_latents_may_differ_where_rounding_decides_but_not_in_many_places():
    torch.manual_seed(0)
    codes = torch.randn(16, 3)
    got = codes.clone()
    got.view(-1)[:2] += 0.5
    assert latents_error(got, {"mean": codes}, discrete=True) == 0
    assert latents_error(got, {"mean": codes}, discrete=False) == pytest.approx(0.5)
    got.view(-1)[2] += 0.5
    assert latents_error(got, {"mean": codes}, discrete=True) == pytest.approx(0.5)


def test_subclass_of_a_layer_of_disentangle_counts_as_torchs():
    class Wide(ToImage):
        pass

    assert layers_of([Wide(2, 1)], (2, 3, 3))[0][0].kind == "transposed"


def test_subclass_counts_as_the_layer_whose_forward_it_has():
    layers, shape = layers_of([Kind(3, 2), nn.Unflatten(1, (2, 1, 1)), ToImage(2, 1)], (3,))
    assert [layer.kind for layer in layers] == ["linear", "reshape", "transposed"]
    assert shape == (1, 2, 2)


def test_residual_of_another_shape_is_refused():
    with pytest.raises(UnknownLayer, match=r"maps \[4\] to \[1\], expected the same"):
        layers_of([Residual(nn.Linear(4, 1))], (4,))


def test_weights_are_rounded_to_16_bits_of_the_largest_in_their_row():
    values = torch.tensor([[1.0, -0.3, 0.0], [0.0, 0.0, 0.0], [-1e-3, 4e-4, 1e-9]])
    got = tensor(values)
    assert (got - values).abs().amax(1).tolist() == pytest.approx([0, 0, 0], abs=1 / 2**16)
    assert ((got - values).abs() <= values.abs().amax(1, keepdim=True) / 2**16).all()
    assert torch.equal(tensor(got), got)
    whole, _ = rounded(got)
    assert whole.abs().amax(1).tolist() == [32767, 0, 32767]
    assert len(packed(got)) == 3 * 4 + 9 * 2


def test_weights_of_one_axis_are_not_rounded():
    values = torch.tensor([1.0, 1e-9, torch.pi])
    assert torch.equal(tensor(values), values)


def test_options_of_layers_are_json(run):
    with pytest.raises(ValueError, match="not JSON compliant"):
        network([Layer("leaky-relu", {"slope": float("nan")})], (3,), [], LIMIT)


def test_every_kind_is_in_the_script_and_every_walk_gives_known_kinds():
    script = (pages.__file__.rpartition("/")[0]) + "/templates/network.js"
    with open(script, encoding="utf-8") as file:
        kinds = file.read().partition("const KINDS = {")[2].partition("\n};")[0]
    for kind in FUNCTIONS:
        assert any(
            line.strip().startswith((f'"{kind}"', f"{kind}:", f"{kind},"))
            for line in kinds.splitlines()
        ), kind
    assert {Residual, nn.Linear} <= set(WALKS)


def test_command_and_function_pass_the_limit_on(run, command, monkeypatch):
    limits = []

    def about(run, bases, network_limit):
        limits.append(network_limit)
        raise disentangle.DisentangleError("enough")

    monkeypatch.setattr(pages, "about_run", about)
    command("report", run.path, "--network-limit", "7.5")
    command("report", run.path)
    for options in ({"network_limit": 1}, {}):
        with pytest.raises(disentangle.DisentangleError, match="enough"):
            disentangle.report(run, **options)
    assert limits == [7.5, LIMIT, 1, LIMIT]


def test_limit_below_zero_is_refused(run, command):
    code, _, error = command("report", run.path, "--network-limit", "-1")
    assert code == 2
    assert "--network-limit" in error


def test_limit_without_the_page_of_a_run_is_refused(run, command):
    for options in ((run.path.parent,), (run.path, "--all-seeds")):
        code, _, error = command("report", *options, "--network-limit", "1")
        assert code == 2
        assert "--network-limit requires the page of a run: a single RUN, or --runs" in error


def test_limit_of_pages_of_several_runs_is_passed_on(run, command, monkeypatch):
    limits = []
    monkeypatch.setattr(pages, "run_page", lambda run, bases, limit: limits.append(limit) or "page")
    command("report", run.path.parent, "--runs", "--network-limit", "5")
    assert limits == [5]


def test_help_of_the_command_names_the_default(command):
    _, out, _ = command("report", "--help")
    assert f"[default: {LIMIT:g}]" in " ".join(out.split())


@pytest.mark.parametrize("name", ["beta-tcvae/66fc74e12b", "beta-vae/09ef3a7875"])
def test_networks_after_long_training_are_in_their_page(name, monkeypatch):
    run = disentangle.load_run(RESULTS / "cpu-budget" / "dsprites" / name)
    squares = torch.zeros(8, 1, 64, 64)
    for number, image in enumerate(squares):
        image[:, 4 * number : 4 * number + 20, 6 * number : 6 * number + 20] = 1
    examples = torch.cat([squares, 1 - squares])
    monkeypatch.setattr("disentangle.reports.network_data.examples", lambda run: examples)
    data = live_networks(run)
    assert data["why"] == {}
    assert data["decoder"]
    assert data["encoder"]
