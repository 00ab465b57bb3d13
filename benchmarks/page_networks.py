"""Milliseconds in which a browser decodes and encodes an image with each network of a page.

    python benchmarks/page_networks.py

A time is that of the fastest of 50 runs, as other processes slow runs down, with the first run in
brackets, before the browser has compiled the script. Also printed: the size of both networks in a
page in MB, the time to read their weights, and the time of one image in torch with one thread.
Needs chromium, and `pip install playwright`.
"""

import shutil
from time import perf_counter

import torch
from playwright.sync_api import Page, sync_playwright

from disentangle.contracts import entry_points
from disentangle.errors import DisentangleError
from disentangle.reports.html import TEMPLATES
from disentangle.reports.network_data import network
from disentangle.reports.page_layers import Layer, layers_of, run_layers

LATENTS, REPEATS = 10, 50
SHAPES = ((1, 64, 64), (3, 64, 64), (3, 128, 128))
TIMES = """([data, repeats]) => {
  const start = performance.now();
  const network = new Network(data);
  const ready = performance.now() - start;
  const input = Float32Array.from({ length: network.size }, () => Math.random());
  const times = Array.from({ length: repeats }, () => {
    const start = performance.now();
    network.run(input);
    return performance.now() - start;
  });
  return [ready, times[0], Math.min(...times)];
}"""


def row(page: Page, name: str, shape: tuple[int, int, int]) -> list[str]:
    """The cells of one network and one shape of images."""
    made = entry_points.networks.load(name)()
    parts = ((made.decoder(LATENTS, shape), (LATENTS,)), (made.encoder(shape, 2 * LATENTS), shape))
    megabytes, ready, times = 0.0, 0.0, []
    for module, inputs in parts:
        layers, _ = layers_of([module], inputs)
        data = network([*layers, Layer("sigmoid")], inputs, [], room=1000)
        megabytes += len(data["weights"]) / 1e6
        each, first, fastest = page.evaluate(TIMES, [data, REPEATS])
        ready += each
        times += [f"{fastest:.1f} ({first:.0f})", f"{in_torch(layers, inputs):.1f}"]
    return [name, "x".join(map(str, shape)), f"{megabytes:.1f}", f"{ready:.0f}", *times]


def in_torch(layers: list[Layer], shape: tuple[int, ...]) -> float:
    """The shortest time of one input in torch, in milliseconds."""
    x, times = torch.rand(1, *shape), []
    for _ in range(REPEATS):
        start = perf_counter()
        run_layers(layers, x)
        times.append(1e3 * (perf_counter() - start))
    return min(times)


def main() -> None:
    """Print a row for each network and shape."""
    torch.set_num_threads(1)
    heads = (
        "network",
        "images",
        "MB",
        "read",
        "decode (first)",
        "torch",
        "encode (first)",
        "torch",
    )
    print(*(f"{head:>14}" for head in heads))
    with sync_playwright() as driver:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page()
        page.add_script_tag(path=TEMPLATES / "network.js")
        for shape in SHAPES:
            for name in sorted(entry_points.networks.entries):
                if name == "higgins-fc" and shape != SHAPES[0]:
                    continue  # it never fits into a page
                try:
                    print(*(f"{cell:>14}" for cell in row(page, name, shape)), flush=True)
                except DisentangleError:
                    continue  # images of this size do not suit the network


if __name__ == "__main__":
    main()
