"""Networks in a page: JavaScript in a browser computes what torch does."""

import shutil
from dataclasses import asdict

import numpy as np
import pytest
import torch
from PIL import Image
from playwright import sync_api as playwright
from torch import nn

from disentangle.contracts import entry_points, registry
from disentangle.data import status
from disentangle.data.image_files import centre_crop, flat, resized, square
from disentangle.nn import MostProbable, Nearest, Residual
from disentangle.nn.likelihoods import LIKELIHOODS, make
from disentangle.reports import page_functions
from disentangle.reports.html import TEMPLATES
from disentangle.reports.network_data import MEANS, live_networks, network
from disentangle.reports.page_functions import Layer
from disentangle.reports.page_layers import layers_of

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is here"),
]
RUN = """([data, inputs]) => {
  const network = new Network(data);
  return inputs.map((input) => [...network.run(Float32Array.from(input))]);
}"""
PIXELS, LATENTS = 2e-3, 1e-2


class Doubled(nn.Module):
    """A third party's layer that names the layers that compute the same."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(6, 6)

    def forward(self, x):
        return torch.tanh(x + self.inner(x))

    def page_layers(self):
        return [Residual(self.inner), nn.Tanh()]


LAYERS = {
    "linear": (nn.Linear(7, 5), (7,)),
    "linear of rows without bias": (nn.Linear(7, 5, bias=False), (2, 3, 7)),
    "flatten": (nn.Sequential(nn.Flatten(), nn.Linear(30, 2)), (2, 3, 5)),
    "unflatten": (nn.Sequential(nn.Unflatten(1, (2, 3, 5)), nn.Conv2d(2, 3, 2)), (30,)),
    "identity and dropout": (nn.Sequential(nn.Identity(), nn.Dropout(), nn.ReLU()), (5,)),
    "conv": (nn.Conv2d(3, 5, 3), (3, 7, 6)),
    "conv of strides": (nn.Conv2d(5, 6, (3, 2), (2, 3), (2, 1)), (5, 9, 8)),
    "conv dilated in groups": (nn.Conv2d(6, 9, 3, 1, 2, 2, 3), (6, 7, 5)),
    "conv of same size": (nn.Conv2d(2, 3, (4, 3), padding="same"), (2, 5, 6)),
    "conv of depth": (nn.Conv2d(5, 10, 3, 2, 1, groups=5, bias=False), (5, 5, 6)),
    "conv of one pixel": (nn.Conv2d(9, 2, 1), (9, 1, 1)),
    "transposed": (nn.ConvTranspose2d(3, 5, 3), (3, 4, 5)),
    "transposed of strides": (nn.ConvTranspose2d(5, 6, (3, 4), (2, 3), (1, 2)), (5, 5, 4)),
    "transposed with more": (nn.ConvTranspose2d(3, 4, 3, 2, 1, output_padding=1), (3, 4, 5)),
    "transposed with only more": (nn.ConvTranspose2d(3, 4, 2, 3, output_padding=2), (3, 3, 2)),
    "transposed in groups": (nn.ConvTranspose2d(6, 9, 3, 2, 2, 0, 3, dilation=2), (6, 5, 4)),
    "transposed without bias": (nn.ConvTranspose2d(2, 1, 4, 2, 1, bias=False), (2, 4, 4)),
    "batch norm": (nn.BatchNorm2d(3), (3, 4, 5)),
    "batch norm of vectors": (nn.BatchNorm1d(6, affine=False), (6,)),
    "group norm": (nn.GroupNorm(2, 6), (6, 3, 5)),
    "instance norm": (nn.InstanceNorm2d(3, affine=True), (3, 4, 5)),
    "instance norm of statistics": (nn.InstanceNorm2d(3, track_running_stats=True), (3, 4, 5)),
    "layer norm": (nn.LayerNorm(7), (7,)),
    "layer norm of images": (nn.LayerNorm((3, 4, 5)), (3, 4, 5)),
    "layer norm of rows": (nn.LayerNorm(5, bias=False), (3, 4, 5)),
    "max pool": (nn.MaxPool2d(3, 2, 1), (2, 7, 6)),
    "max pool dilated": (nn.MaxPool2d((2, 3), 2, (0, 1), 2, ceil_mode=True), (2, 8, 9)),
    "average pool": (nn.AvgPool2d(3, 2, 1), (2, 7, 6)),
    "average pool to the end": (nn.AvgPool2d((3, 2), 2, 1, ceil_mode=True), (2, 8, 7)),
    "average pool of pixels": (nn.AvgPool2d(3, 2, 1, count_include_pad=False), (2, 7, 6)),
    "average pool divided": (nn.AvgPool2d(2, divisor_override=3), (2, 6, 6)),
    "adaptive pool": (nn.AdaptiveAvgPool2d((3, 2)), (2, 7, 5)),
    "adaptive pool of all": (nn.AdaptiveAvgPool2d(1), (2, 7, 5)),
    "nearest": (nn.Upsample(scale_factor=2), (2, 3, 4)),
    "nearest of a size": (nn.Upsample((7, 5)), (2, 3, 4)),
    "nearest of a fraction": (nn.Upsample(scale_factor=1.7), (2, 5, 4)),
    "bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"), (2, 3, 4)),
    "bilinear of a fraction": (nn.Upsample(scale_factor=(1.7, 2.3), mode="bilinear"), (2, 5, 4)),
    "bilinear of corners": (nn.Upsample((7, 1), mode="bilinear", align_corners=True), (2, 3, 4)),
    "bilinear of an old class": (nn.UpsamplingBilinear2d(scale_factor=2), (2, 3, 4)),
    "shuffle": (nn.PixelShuffle(3), (18, 2, 3)),
    "unshuffle": (nn.PixelUnshuffle(2), (3, 4, 6)),
    "relu": (nn.ReLU(), (9,)),
    "leaky relu": (nn.LeakyReLU(0.2), (9,)),
    "elu": (nn.ELU(1.5), (9,)),
    "gelu": (nn.GELU(), (99,)),
    "gelu by tanh": (nn.GELU("tanh"), (99,)),
    "silu": (nn.SiLU(), (9,)),
    "tanh": (nn.Tanh(), (9,)),
    "sigmoid": (nn.Sigmoid(), (9,)),
    "softplus": (nn.Softplus(2, 3), (9,)),
    "residual": (nn.Sequential(Residual(nn.Linear(5, 5), nn.ReLU()), nn.Linear(5, 2)), (5,)),
    "quantised": (Nearest(torch.randn(6, 4)), (6,)),
    "most probable": (MostProbable(torch.randn(6, 4)), (24,)),
    "nested": (nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), nn.Sequential()), (4,)),
    "third party's": (Doubled(), (6,)),
}


@pytest.fixture(scope="module")
def page():
    """A page with the scripts of live networks, and nothing else."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        opened = browser.new_page()
        opened.add_script_tag(path=TEMPLATES / "network.js")
        opened.add_script_tag(path=TEMPLATES / "image.js")
        yield opened
        browser.close()


@pytest.fixture(scope="module")
def javascript(page):
    """A function that runs a network's page data on inputs in a browser."""
    return lambda data, x: torch.tensor(page.evaluate(RUN, [data, x.flatten(1).tolist()]))


def randomised(module, gain=1.0):
    """The module with random weights and statistics, in evaluation, without rounding them."""
    rng = torch.Generator().manual_seed(3)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.is_floating_point():
            values = torch.randn(tensor.shape, generator=rng)
            scale = gain * (2 / max(1, tensor[0].numel() if tensor.ndim > 1 else 1)) ** 0.5
            values = values.abs() + 0.5 if name.endswith("var") else values * scale
            tensor.data.copy_(page_functions.tensor(values))
    return module.eval()


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")
@pytest.mark.parametrize("name", LAYERS)
def test_layer_is_torchs(name, javascript):
    module, shape = LAYERS[name]
    module = randomised(module)
    x = 3 * torch.randn(3, *shape, generator=torch.Generator().manual_seed(5))
    layers, _ = layers_of([module], shape)
    with torch.no_grad():
        expected = module(x).flatten(1)
    torch.testing.assert_close(
        javascript(network(layers, shape, [], 1), x), expected, rtol=2e-5, atol=2e-5
    )


def built_in(group):
    """The names of the plugins of a group that come with disentangle."""
    return sorted(n for n, (e, *_) in group.entries.items() if e.distribution == entry_points.OWN)


def stretched(module, shape):
    """The module with its last layer changed such that outputs have mean 0 and deviation 3."""
    last = [layer for layer in module.modules() if hasattr(layer, "weight")][-1]
    with torch.no_grad():
        outputs = module(torch.randn(4, *shape))
        last.bias.sub_(outputs.mean())
        last.weight.mul_(3 / outputs.std())
        last.bias.mul_(3 / outputs.std())
    return module.requires_grad_(False).eval()


def cases():
    """A network and a shape of images, for the shapes that it accepts; few for a large network."""
    only = {"higgins-conv": (64,), "higgins-fc": (16,), "locatello": (64,)}
    for name in sorted(set(built_in(entry_points.networks)) - {"dalle", "hsu2024"}):
        for side in only.get(name, (32, 64, 128)):
            yield name, (3 if side > 64 else 1, side, side)
        if side > 16:
            yield name, (3, 64, 64)


@pytest.mark.parametrize(("name", "shape"), list(cases()), ids=str)
def test_decoder_and_encoder_of_a_network_are_torchs(name, shape, javascript):
    torch.manual_seed(len(name) + sum(shape))
    made = entry_points.networks.load(name)()
    decoder = stretched(made.decoder(7, shape), (7,))
    z, x = 2 * torch.randn(2, 7), torch.rand(2, *shape)
    layers = [*layers_of([decoder], (7,))[0], Layer("sigmoid")]
    images = decoder(z).sigmoid().flatten(1)
    assert images.std() > 0.2
    got = javascript(network(layers, (7,), [], 99), z)
    torch.testing.assert_close(got, images, rtol=0, atol=PIXELS)
    encoder = stretched(made.encoder(shape, 8), shape)
    got = javascript(network(layers_of([encoder], shape)[0], shape, [], 99), x)
    torch.testing.assert_close(got, encoder(x), rtol=0, atol=LATENTS)


def with_model(run, name, **knobs):
    """The run with another model, whose weights are random and whose outputs vary."""
    torch.manual_seed(11)
    model = registry.models.load(name)(latents=6, **knobs)
    shape = run.record.dataset.image_shape
    model.build(shape)
    stretched(model.decoder, (6,))
    stretched(model.encoder, shape)
    run.model = model.requires_grad_(False).eval()
    return run


@pytest.mark.parametrize("name", built_in(registry.models))
def test_decoder_and_encoder_of_a_model_are_the_runs(name, run, javascript):
    run = with_model(run, name, network="burgess")
    networks = live_networks(run)
    assert networks["why"] == {}
    z = 2 * torch.randn(3, 6)
    expected = run.decode(z).flatten(1)
    assert expected.std() > 0.2
    torch.testing.assert_close(javascript(networks["decoder"], z), expected, rtol=0, atol=PIXELS)
    images = torch.rand(3, *run.record.dataset.image_shape)
    code, got = run.code(images), javascript(networks["encoder"], images)
    parts = dict(zip(networks["encoder"]["outputs"], got.split(6, 1), strict=True))
    torch.testing.assert_close(parts.pop("mean"), code.mean, rtol=0, atol=LATENTS)
    if parts:
        torch.testing.assert_close(parts["deviation"], code.scale, rtol=LATENTS, atol=LATENTS)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_image_is_the_likelihoods_mean(likelihood, javascript):
    logits = torch.cat([torch.linspace(-0.02, 0.02, 41), torch.linspace(-12, 12, 41)])[None]
    made = make(likelihood, 0.5, torch.tensor(0.0))
    data = network([Layer(MEANS[type(made)])], (82,), [], 1)
    expected = made.mean(logits.double()).float()
    torch.testing.assert_close(javascript(data, logits), expected, rtol=0, atol=1e-5)


def test_input_of_another_size_is_refused(page):
    data = network(layers_of([nn.Linear(3, 2)], (3,))[0], (3,), [], 1)
    message = page.evaluate(
        "data => { try { new Network(data).run([1]) } catch (error) { return error.message } }",
        data,
    )
    assert message == "expected 3 values, got 1"


def photo(width, height, mode):
    """An image with waves, edges, noise and, if it has an alpha channel, a transparent part."""
    y, x = np.mgrid[:height, :width]
    waves = [
        127 + 80 * np.sin(x / (7 + c) + y / 23) + 40 * ((x // 17 + y // 11) % 2) for c in range(3)
    ]
    noise = np.random.default_rng(0).normal(0, 20, (height, width, 3))
    pixels = np.clip(np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)
    alpha = np.clip(400 * (x + y) / (width + height), 0, 255).astype(np.uint8)
    image = Image.fromarray(np.dstack([pixels, alpha]))
    return image if mode == "RGBA" else image.convert("RGB").convert(mode)


@pytest.mark.parametrize(
    ("size", "mode", "shape"),
    [
        ((201, 130), "RGB", (3, 64, 64)),
        ((90, 131), "RGB", (1, 32, 32)),
        ((90, 131), "L", (3, 64, 64)),
        ((50, 40), "RGB", (3, 64, 64)),
        ((64, 64), "L", (1, 64, 64)),
        ((80, 91), "RGBA", (3, 64, 64)),
        ((100, 64), "RGBA", (1, 64, 64)),
    ],
    ids=str,
)
def test_own_image_is_prepared_as_own_images_are_for_training(size, mode, shape, page):
    image = photo(*size, mode)
    expected = np.asarray(resized(square(flat(image, shape[0])), shape[1]))
    data = np.asarray(image.convert("RGBA")).ravel().tolist()
    picture = {"width": size[0], "height": size[1], "data": data}
    got = page.evaluate("([image, shape]) => [...imageInput(image, shape)]", [picture, shape])
    planes = np.reshape(got, shape).transpose(1, 2, 0).reshape(expected.shape)
    assert np.abs(planes * 255 - expected).max() < 1.01


@pytest.mark.parametrize("size", [(178, 218), (218, 178), (60, 50)], ids=str)
def test_own_image_of_the_published_size_is_cropped_as_the_dataset_is(size, page):
    image, celeba = photo(*size, "RGB"), status.about("celeba").crop
    published = size == (celeba.width, celeba.height)
    cropped = centre_crop(image, celeba.side) if published else square(image)
    picture = {"width": size[0], "height": size[1], "data": [*image.convert("RGBA").tobytes()]}
    got = page.evaluate(
        "([image, crop]) => [...imageInput(image, [3, 64, 64], crop)]", [picture, asdict(celeba)]
    )
    planes = np.reshape(got, (3, 64, 64)).transpose(1, 2, 0)
    assert np.abs(planes * 255 - np.asarray(resized(cropped, 64))).max() < 1.01


def test_own_image_that_is_no_square_fills_what_the_network_takes(page):
    data = [v for row in range(4) for column in range(8) for v in (10 * column, 0, 0, 255)]
    picture = {"width": 8, "height": 4, "data": data}
    got = page.evaluate("([image, shape]) => [...imageInput(image, shape)]", [picture, (3, 4, 2)])
    red = np.reshape(got, (3, 4, 2))[0] * 255
    np.testing.assert_allclose(red, np.broadcast_to([30, 40], (4, 2)), atol=1e-4)
