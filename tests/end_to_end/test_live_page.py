"""The panel "Move the latents" in a real browser: what it shows is what the run decodes."""

import base64
import io
import json
import os
import re
import shutil
from copy import deepcopy

import numpy as np
import pytest
import torch
from conftest import registered
from PIL import Image
from playwright import sync_api as playwright
from torch import nn

from disentangle.data.image_files import flat, resized, square
from disentangle.reports import pages
from disentangle.runs.named import load_run
from disentangle.training.train import train

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="no chromium is here"),
]
INACTIVE = 3
PIXEL = 2e-3 + 0.5 / 255
"""The error of a pixel: half precision, and the rounding of a canvas to bytes."""
EVIL = "<img src=x onerror=alert(1)>.png"
READ = """canvas => {
  const { width, height } = canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const bytes = copy.getImageData(0, 0, width, height).data;
  return [height, width, btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))];
}"""
DROP = """([name, type, bytes]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([Uint8Array.from(bytes)], name, { type }));
  const where = document.querySelector("#traversals");
  where.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}"""
PASTE = DROP.replace(
    'where.dispatchEvent(new DragEvent("drop", { dataTransfer,',
    ('where.dispatchEvent(new ClipboardEvent("paste", { clipboardData: dataTransfer,'),
)


def with_active_latents(run):
    """Enlarge weights, so that all latents but one are active, and pictures differ widely."""
    with torch.no_grad():
        for network, factor in ((run.model.encoder, 2.5), (run.model.decoder, 3)):
            for layer in network.modules():
                if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                    layer.weight *= factor
        *_, last = [layer for layer in run.model.encoder.modules() if isinstance(layer, nn.Linear)]
        last.weight[INACTIVE] = 0
    return run


@pytest.fixture(scope="module")
def live_run(trained, strangers_folder, tmp_path_factory):
    """A run whose page has both networks."""
    with registered(strangers_folder):
        folder = tmp_path_factory.mktemp("live") / "run"
        run = with_active_latents(load_run(shutil.copytree(trained.path, folder)))
        pages.report(run)
    return run


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """A function that opens a page; checks for no console output and no other requests."""
    messages, requests, contexts = [], [], []

    def go(path, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.resolve().as_uri())
        if options.get("java_script_enabled", True) and page.locator("#live .panel").count():
            page.locator("#live.ready").wait_for()
        return page

    yield go
    for context in contexts:
        context.close()
    assert messages == []
    assert {url.partition(":")[0] for url in requests} <= {"file", "data"}
    assert all(url.endswith(".html") for url in requests if url.startswith("file:"))


@pytest.fixture
def page(visit, live_run):
    return visit(live_run.path / "report.html")


def bases(page):
    """The bases of a page: labels and latents."""
    return json.loads(page.locator("#live-data").text_content())["bases"]


def own_latents(page, number=0):
    return torch.tensor(bases(page)[number]["z"])


def row(page, latent):
    """The row of a latent; the inactive ones are unfolded."""
    page.locator("#live details").evaluate("details => { details.open = true; }")
    return page.locator("#live .row").filter(has=page.get_by_text(f"z{latent}", exact=True))


def settle(page):
    """Wait until the picture is painted."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def picture(page, selector="#live .decoded"):
    """The pixels of a grey picture, [H, W] in [0, 1]."""
    settle(page)
    return pixels_of(page.locator(selector))[..., 0] / 255


def pixels_of(canvas):
    height, width, text = canvas.evaluate(READ)
    pixels = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)
    return torch.from_numpy(pixels.astype(np.float32))


def assert_decoded(page, run, z, within=PIXEL):
    expected = run.decode(z[None])[0, 0]
    assert expected.std() > 0.03
    assert (picture(page) - expected).abs().max() <= within


def numbers(page):
    """The values of the latents, as shown, in the order of the model."""
    values = page.evaluate("""() => Object.fromEntries(
      [...document.querySelectorAll("#live .row")].map((row) => [
        row.querySelector("b").textContent, Number(row.querySelector("[type=number]").value),
      ]),
    )""")
    return torch.tensor([values[f"z{d}"] for d in range(len(values))])


def png(width=100, height=70):
    """A photo-like RGBA file: smooth shades, and edges; partly transparent."""
    y, x = np.mgrid[:height, :width]
    shades = [128 + 100 * np.sin(x / 9), 255 * ((x // 12 + y // 10) % 2), 255 * x / width]
    alpha = np.where(x + y < 40, 120, 255)
    image = Image.fromarray(np.stack([*shades, alpha], -1).astype(np.uint8), "RGBA")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue(), image


def prepared(image, channels=1, side=64):
    """An image as the preparation of own images makes it, [H, W] in [0, 1]."""
    return torch.from_numpy(np.array(resized(square(flat(image, channels)), side))).float() / 255


def test_page_starts_at_its_first_base(page, live_run):
    assert_decoded(page, live_run, own_latents(page))
    original = live_run.dataset.images([int(bases(page)[0]["label"].split()[-1])])[0, 0]
    assert picture(page, "#live .beside").mul(255).byte().equal(original)


def test_slider_moves_its_latent_and_leaves_the_others(page, live_run):
    z = own_latents(page)
    slider = row(page, 2).locator("[type=range]")
    slider.fill("1.5")
    z[2] = 1.5
    assert_decoded(page, live_run, z)
    assert row(page, 2).locator("[type=number]").input_value() == "1.50"
    assert slider.get_attribute("aria-valuetext") == "1.50"
    row(page, 7).locator("[type=range]").fill("-2")
    z[7] = -2
    assert_decoded(page, live_run, z)


def test_typed_value_is_exact_and_may_lie_beyond_the_slider(page, live_run):
    z = own_latents(page)
    number, slider = (row(page, 5).locator(f"[type={kind}]") for kind in ("number", "range"))
    for value, highest in ((0.123, 3), (4.567, 4.567), (-1.0, 3)):
        number.fill(str(value))
        z[5] = value
        assert_decoded(page, live_run, z)
        assert float(number.input_value()) == value
        assert float(slider.get_attribute("max")) == pytest.approx(
            max(highest, own_latents(page)[5])
        )
        assert number.evaluate("e => e.validity.valid")
    number.fill("")
    number.blur()
    assert number.input_value() == "-1.00"
    assert_decoded(page, live_run, z)


def test_double_click_resets_one_latent_and_a_button_all(page, live_run):
    z = own_latents(page)
    row(page, 1).locator("[type=number]").fill("2.5")
    row(page, 4).locator("[type=number]").fill("-2.5")
    row(page, 1).locator(".title").dblclick()
    z[4] = -2.5
    assert_decoded(page, live_run, z)
    page.get_by_role("button", name="Reset all").click()
    assert_decoded(page, live_run, own_latents(page))


def test_everything_is_done_by_keyboard(page, live_run):
    z = own_latents(page)
    page.locator("#live .reset").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    latent = int(page.evaluate("document.activeElement.getAttribute('aria-label')")[1])
    slider = row(page, latent).locator("[type=range]")
    assert slider.evaluate("e => e === document.activeElement")
    assert slider.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.press("Home")
    z[latent] = float(slider.get_attribute("min"))
    assert_decoded(page, live_run, z)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    z[latent] += 11 * 0.05
    assert_decoded(page, live_run, z)
    page.keyboard.press("Delete")
    assert_decoded(page, live_run, own_latents(page))
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowDown")
    z[latent] = own_latents(page)[latent] + 0.05 - 0.5
    assert_decoded(page, live_run, z)
    page.locator("#live [data-list=base] [type=radio]").first.focus()
    page.keyboard.press("ArrowRight")
    assert_decoded(page, live_run, own_latents(page, 1))


def test_another_base_brings_its_latents_and_its_original(page, live_run):
    (number,) = (i for i, base in enumerate(bases(page)) if i > 5 and base["place"] == 6)
    page.locator("#live [data-list=base] [type=radio]").nth(number).check()
    assert_decoded(page, live_run, own_latents(page, number))
    index = int(bases(page)[number]["label"].removeprefix("image "))
    original = live_run.dataset.images([index])
    assert picture(page, "#live .beside").mul(255).byte().equal(original[0, 0])
    assert own_latents(page, number).allclose(live_run.encode(original)[0], atol=1e-5)


def test_the_mean_of_the_prior_is_a_base_without_an_original(page, live_run):
    page.get_by_role("radio", name="mean of the prior").first.check()
    assert_decoded(page, live_run, torch.zeros(10))
    beside = page.get_by_label("Picture beside the decoded one")
    assert beside.input_value() == "base"
    assert picture(page, "#live .beside").equal(picture(page))


def test_a_sample_of_the_prior_moves_all_latents(page, live_run):
    before = numbers(page)
    seen = []
    for _ in range(20):
        page.get_by_role("button", name="Surprise me").click()
        seen.append(numbers(page))
        assert (seen[-1] != before).sum() >= 9  # one may round to the same
        before = seen[-1]
    assert_decoded(page, live_run, seen[-1], within=0.02)
    samples = torch.stack(seen)
    assert abs(samples.mean()) < 0.3
    assert 0.8 < samples.std() < 1.2


def test_sweep_moves_one_latent_until_it_is_stopped(page):
    before = numbers(page)
    page.get_by_role("button", name="Sweep z2").click()
    page.get_by_role("button", name="Sweep z6").click()
    number = row(page, 6).locator("[type=number]")
    playwright.expect(number).not_to_have_value(number.input_value())
    assert [row(page, d).locator("[aria-pressed=true]").count() for d in (2, 6)] == [0, 1]
    row(page, 4).locator("[type=range]").fill("1")
    playwright.expect(number).not_to_have_value(number.input_value())
    page.get_by_role("button", name="Sweep z6").click()
    stopped = numbers(page)
    page.wait_for_timeout(150)
    assert numbers(page).equal(stopped)
    assert stopped[4] == 1
    others = [d for d in range(10) if d not in (2, 4, 6)]
    assert stopped[others].equal(before[others])


def test_sweep_goes_by_steps_where_motion_is_reduced(visit, live_run):
    page = visit(live_run.path / "report.html", reduced_motion="reduce")
    number = row(page, 0).locator("[type=number]")
    number.fill("2.4")
    values = []
    for _ in range(4):
        page.get_by_role("button", name="Sweep z0").click()
        values.append(float(number.input_value()))
    assert values == [3, 2.4, 1.8, 1.2]
    page.wait_for_timeout(100)
    assert number.input_value() == "1.20"


def test_the_way_between_two_images_is_straight(page, live_run):
    page.locator("#live [data-list=target] [type=radio]").nth(6).check()
    a, b = own_latents(page), own_latents(page, 6)
    page.get_by_label("From A to B").fill("0.5")
    assert_decoded(page, live_run, (a + b) / 2)
    page.get_by_label("From A to B").fill("1")
    assert_decoded(page, live_run, b)
    steps = page.locator("#live .steps canvas")
    assert steps.count() == 9
    page.wait_for_function("document.querySelectorAll('#live .steps canvas')[8].width === 64")
    page.wait_for_timeout(100)
    for i in (0, 3, 8):
        expected = live_run.decode((a + i / 8 * (b - a))[None])[0, 0]
        assert (pixels_of(steps.nth(i))[..., 0] / 255 - expected).abs().max() <= PIXEL
    steps.nth(2).click()
    assert_decoded(page, live_run, a + 0.25 * (b - a))
    page.locator("#live [data-list=target] [type=radio]").nth(8).check()
    assert_decoded(page, live_run, a + 0.25 * (own_latents(page, 8) - a))
    page.get_by_role("button", name="Reset all").click()
    assert page.get_by_label("From A to B").input_value() == "0"
    assert_decoded(page, live_run, a)


def test_change_is_outlined_and_measured(page, live_run):
    page.get_by_label("Show change").check()
    settle(page)
    assert pixels_of(page.locator("#live .outlines"))[..., 3].max() == 0
    z = own_latents(page)
    base = live_run.decode(z[None])[0, 0]
    row(page, 8).locator("[type=number]").fill("-3")
    z[8] = -3
    change = live_run.decode(z[None])[0, 0] - base
    settle(page)
    outlined = pixels_of(page.locator("#live .outlines"))[..., 3] > 0
    blocks = outlined.view(64, 4, 64, 4).any(3).any(1)
    near = nn.functional.max_pool2d((change.abs() > 0.09)[None].float(), 3, 1, 1)[0] > 0
    assert blocks.any()
    assert not (blocks & ~near).any()
    words = page.locator("#live .amount").text_content()
    mean, count = re.fullmatch(
        r"Mean change from the base (\S+); (\d+) pixels changed by more than 0.1", words
    ).groups()
    assert float(mean) == pytest.approx(float(change.abs().mean()), abs=2e-3)
    assert int(count) == pytest.approx(int((change.abs() > 0.1).sum()), rel=0.05)
    page.get_by_label("Picture beside the decoded one").select_option("Difference")
    assert (picture(page, "#live .beside") - (1 + change) / 2).abs().max() <= 4e-3


def test_summary_and_picture_say_what_was_moved(page):
    row(page, 2).locator("[type=range]").fill("1.5")
    label = bases(page)[0]["label"]
    summary = page.locator("#live [role=status]")
    playwright.expect(summary).to_have_text(f"{label}; z2 = 1.50")
    assert page.get_by_role("img", name=f"Decoded picture: {label}; z2 = 1.50").count() == 1


def test_inactive_latents_are_folded(page, live_run):
    folded = page.locator("#live details")
    assert folded.locator("summary").text_content() == "1 inactive latent"
    assert folded.locator(".row b").all_text_contents() == [f"z{INACTIVE}"]
    assert not folded.locator(".row").is_visible()
    shown = page.locator("#live .controls > .rows .title span").all_text_contents()
    kl = [float(text.removeprefix("KL ")) for text in shown]
    assert len(kl) == 9
    assert kl == sorted(kl, reverse=True)


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_an_image_of_ones_own_is_encoded_and_becomes_the_base(page, live_run, way):
    content, image = png()
    if way == "choose":
        file = {"name": EVIL, "mimeType": "image/png", "buffer": content}
        page.get_by_label("Your image", exact=True).set_input_files(file)
    else:
        page.evaluate(DROP if way == "drop" else PASTE, [EVIL, "image/png", [*content]])
    chosen = page.get_by_role("radio", name=f"your image {EVIL}").first
    playwright.expect(chosen).to_be_checked()
    cropped = picture(page, "#live .beside")
    assert (cropped - prepared(image)).abs().max() <= 3 / 255
    z = live_run.encode(prepared(image)[None, None])[0]
    assert (numbers(page) - z).abs().max() <= 0.03 * max(1, z.abs().max())
    assert_decoded(page, live_run, live_run.encode(cropped[None, None])[0], within=0.03)
    row(page, 1).locator("[type=number]").fill("0")
    row(page, 1).locator(".title").dblclick()
    assert (numbers(page) - z).abs().max() <= 0.03 * max(1, z.abs().max())


def test_a_file_that_is_no_image_changes_nothing(page, live_run):
    file = {"name": "notes<b>.txt", "mimeType": "text/plain", "buffer": b"not an image"}
    page.get_by_label("Your image", exact=True).set_input_files(file)
    problem = page.locator("#live [role=alert]")
    playwright.expect(problem).to_contain_text("notes<b>.txt: not an image that this browser reads")
    assert_decoded(page, live_run, own_latents(page))


def test_an_unknown_layer_leaves_the_pictures_and_says_why(live_run, visit, tmp_path):
    class Odd(nn.Module):
        def forward(self, x):
            return x.flip(1)

    run = load_copy(live_run)
    run.model.decoder = nn.Sequential(Odd(), run.model.decoder)
    run.model.encoder = nn.Sequential(run.model.encoder, Odd())
    page = visit(pages.report(run, tmp_path / "page.html"))
    words = page.locator("#live").inner_text()
    assert "The decoder is not in this page: layer `Odd` is unknown" in words
    assert page.locator("#live input, #live button").count() == 0
    assert page.locator("#traversals .latent").first.is_visible()


def test_an_unknown_encoder_leaves_the_decoder(live_run, visit, tmp_path):
    class Odd(nn.Module):
        def forward(self, x):
            return x.flip(1)

    run = load_copy(live_run)
    run.model.encoder = nn.Sequential(run.model.encoder, Odd())
    page = visit(pages.report(run, tmp_path / "page.html"))
    assert (
        "The encoder is not in this page: layer `Odd` is unknown"
        in page.locator("#live").inner_text()
    )
    assert page.locator("#live [type=file]").count() == 0
    assert_decoded(page, run, own_latents(page))


def load_copy(run):
    """A run with its own copy of the model and the same dataset."""
    copy = type(run)(run.path, run.record)
    copy.__dict__.update(model=deepcopy(run.model), dataset=run.dataset)
    return copy


def test_sliders_of_quantised_latents_have_the_values_of_the_codebook(strangers, tmp_path, visit):
    options = {"steps": 2, "batch_size": 8, "device": "cpu", "figures": False}
    run = train("qlae", "tiny", results=tmp_path, **options)
    page = visit(pages.report(run))
    codebook = run.model.traversal(0, 1000)
    slider = row(page, 0).locator("[type=range]")
    assert (slider.get_attribute("min"), slider.get_attribute("max")) == (
        "0",
        str(len(codebook) - 1),
    )
    z = own_latents(page)
    z[0] = codebook[2]
    slider.fill("2")
    number = row(page, 0).locator("[type=number]")
    assert number.input_value() == f"{codebook[2]:.2f}"
    number.fill(str(float(codebook[2]) + 0.01))
    number.blur()
    assert number.input_value() == f"{codebook[2]:.2f}"
    assert (picture(page) - run.decode(z[None])[0, 0]).abs().max() <= PIXEL
    assert page.get_by_role("button", name="Surprise me").count() == 0


def test_without_scripts_and_in_print_the_traversals_are_there_alone(visit, live_run, page):
    page.emulate_media(media="print")
    plain = visit(live_run.path / "report.html", java_script_enabled=False)
    for shown in (page, plain):
        assert not shown.locator("#live .panel").is_visible()
        assert shown.locator("#traversals .strip").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_the_picture_stays_and_everything_is_large_enough(visit, live_run, scheme):
    window = {"width": 360, "height": 740}
    page = visit(live_run.path / "report.html", viewport=window, color_scheme=scheme)
    row(page, INACTIVE).scroll_into_view_if_needed()
    page.get_by_label("From A to B").scroll_into_view_if_needed()
    box = page.locator("#live .decoded").bounding_box()
    assert 0 <= box["y"] < 40
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for target in page.locator("#live :is(button, select, .row input, .way input, .thumb)").all():
        if target.is_visible():
            box = target.bounding_box()
            assert min(box["width"], box["height"]) >= 24, target.evaluate("e => e.outerHTML")
    slider = row(page, 1).locator("[type=range]")
    assert slider.bounding_box()["height"] >= 44
    slider.focus()
    top = page.locator("#live .pictures").bounding_box()
    assert slider.bounding_box()["y"] >= top["y"] + top["height"]
