"""Data of the panel "Move the latents": sliders and bases."""

import pytest
import torch
from helpers.figure_checks import opened

from disentangle.figures.latents import measure_latents
from disentangle.reports.live_section import all_bases, crop_of, live_panel
from disentangle.runs.run import Run
from disentangle.training.train import train


def panel_of(run: Run, specs=("first", "prior"), shown=(3, 0, 5)):
    return live_panel(run, measure_latents(run), specs, shown)


def test_bases_are_those_of_the_traversals_the_shown_images_and_the_mean_of_the_prior(run):
    panel = panel_of(run)
    labels = [base["label"] for base in panel["bases"]]
    assert labels == [
        "image 0",
        "sample 1 of the prior",
        "image 3",
        "image 5",
        "mean of the prior",
    ]
    assert [base["place"] for base in panel["bases"]] == [0, None, 1, 2, None]
    z = torch.tensor([panel["bases"][i]["z"] for i in (0, 2, 3)])
    torch.testing.assert_close(z, run.encode(run.dataset.images([0, 3, 5])), atol=1e-6, rtol=0)
    assert panel["bases"][-1]["z"] == [0] * 10


@pytest.mark.parametrize(
    ("dataset", "crop"),
    [
        ("celeba", {"side": 148, "width": 178, "height": 218}),
        ("chairs", {"side": 400, "width": 600, "height": 600}),
        ("dsprites", None),
        ("./photos", None),
        ("made in Python", None),
    ],
)
def test_crop_is_that_of_the_datasets_published_images(dataset, crop):
    assert crop_of(dataset) == crop


def test_sheet_holds_the_images_of_the_bases_without_loss(run):
    sheet = opened(panel_of(run)["sheet"])
    images = run.dataset.images([0, 3, 5])[:, 0].numpy()
    cells = sheet.reshape(66, 3, 66, 4).transpose(1, 0, 2, 3)[:, 1:-1, 1:-1, 0]
    assert (cells == images).all()


def test_no_images_need_no_sheet(run):
    panel = panel_of(run, ["prior:2"], [])
    assert panel["sheet"] is None
    assert len(panel["bases"]) == 3


def test_sliders_are_in_the_order_of_the_latents_and_have_the_ends_of_the_traversals(run):
    latents = measure_latents(run)
    rows = panel_of(run)["latents"]
    assert [row["latent"] for row in rows] == latents.order
    assert [row["weight"] for row in rows] == latents.weights
    assert {(row["low"], row["high"], row["values"]) for row in rows} == {(-3, 3, None)}


def test_codes_without_a_prior_have_no_sample_and_no_mean(strangers, tmp_path):
    options = {"steps": 1, "batch_size": 8, "device": "cpu", "results": tmp_path, "figures": False}
    run = train("plain-code", "tiny", **options)
    panel = panel_of(run, ["first"])
    assert not panel["prior"]
    assert [base.label for base in all_bases(run, ["first"], [4], prior=False)] == [
        "image 0",
        "image 4",
    ]


def test_quantised_latents_offer_their_values(strangers, tmp_path):
    options = {"steps": 1, "batch_size": 8, "device": "cpu", "results": tmp_path, "figures": False}
    run = train("qlae", "tiny", **options)
    for row in panel_of(run, ["first"])["latents"]:
        values = run.model.codebook[row["latent"]].detach().sort().values
        torch.testing.assert_close(torch.tensor(row["values"]), values, atol=1e-6, rtol=0)
        assert (row["low"], row["high"]) == (row["values"][0], row["values"][-1])
