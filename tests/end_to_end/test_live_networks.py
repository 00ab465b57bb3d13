"""Networks in a page: JavaScript in a browser computes what torch does."""

import shutil

import pytest
import torch
from playwright import sync_api as playwright
from torch import nn

from disentangle.nn import Nearest, Residual
from disentangle.reports import page_layers
from disentangle.reports.html import TEMPLATES
from disentangle.reports.network_data import network
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


def linear(features):
    return nn.Linear(features, 5), (3, features)


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
    "nested": (nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), nn.Sequential()), (4,)),
    "third party's": (Doubled(), (6,)),
}


@pytest.fixture(scope="module")
def javascript():
    """A function that runs a network's page data on inputs in a browser."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.add_script_tag(path=TEMPLATES / "network.js")

        def run(data, inputs):
            return torch.tensor(page.evaluate(RUN, [data, inputs.flatten(1).tolist()]))

        yield run
        browser.close()


def randomised(module, gain=1.0):
    """The module with random weights and statistics, in evaluation, without rounding them."""
    rng = torch.Generator().manual_seed(3)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.is_floating_point():
            values = torch.randn(tensor.shape, generator=rng)
            scale = gain * (2 / max(1, tensor[0].numel() if tensor.ndim > 1 else 1)) ** 0.5
            values = values.abs() + 0.5 if name.endswith("var") else values * scale
            tensor.data.copy_(page_layers.tensor(values))
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
