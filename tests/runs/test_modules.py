"""The encoder and the decoder of a run as plain torch modules."""

import pytest
import torch
from conftest import registered
from torch import nn

from disentangle.runs.named import load_run
from disentangle.training.train import train


@pytest.fixture(scope="module")
def factor_vae(strangers_folder, tmp_path_factory):
    results = tmp_path_factory.mktemp("modules")
    with registered(strangers_folder):
        return train(
            "factor-vae",
            "tiny",
            steps=1,
            batch_size=8,
            figures=False,
            device="cpu",
            results=results,
        )


def test_encoder_gives_mean_and_scale_of_the_posterior(run):
    images = run.dataset.images([0, 7, 30])
    code = run.code(images)
    mean, scale = run.encoder(images.float() / 255)
    torch.testing.assert_close(mean, code.mean)
    torch.testing.assert_close(scale, code.scale)
    assert run.encoder(images.float() / 255).mean.equal(mean)


def test_decoder_gives_the_expected_images(run):
    z = torch.randn(3, 10, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(run.decoder(z), run.decode(z))


def test_layers_are_those_of_torch(run):
    for module in (run.encoder, run.decoder):
        leaves = [layer for layer in module.modules() if not list(layer.children())]
        assert {type(layer).__module__.partition(".")[0] for layer in leaves} == {"torch"}
    assert any(type(layer) is nn.Conv2d for layer in run.encoder.modules())
    assert any(type(layer) is nn.ConvTranspose2d for layer in run.decoder.modules())


def test_modules_hold_only_what_they_need(factor_vae):
    assert {name for name, _ in factor_vae.model.named_children()} == {
        "encoder",
        "decoder",
        "discriminator",
    }
    assert [name for name, _ in factor_vae.encoder.model.named_children()] == ["encoder"]
    assert [name for name, _ in factor_vae.decoder.model.named_children()] == ["decoder"]


def test_training_a_module_leaves_the_run_as_it_is(run):
    encoder = run.encoder
    before = run.encode(run.dataset.images([0]))
    assert not any(p.requires_grad for p in encoder.parameters())
    encoder.requires_grad_(True)
    encoder(torch.rand(2, 1, 64, 64)).mean.sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.zero_()
    torch.testing.assert_close(run.encode(run.dataset.images([0])), before)
    assert not any(p.requires_grad for p in run.model.parameters())


def test_discrete_code_has_no_scale(strangers, tmp_path):
    run = train(
        "qlae", "tiny", steps=1, batch_size=8, figures=False, device="cpu", results=tmp_path
    )
    run = load_run(run.path)
    images = run.dataset.images([0, 7])
    mean, scale = run.encoder(images.float() / 255)
    torch.testing.assert_close(mean, run.encode(images))
    assert scale is None
    torch.testing.assert_close(run.decoder(mean), run.decode(mean))
