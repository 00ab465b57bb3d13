"""Figures: what they show, measured; how they look is for eyes."""

import numpy as np
import pytest
import torch
from PIL import Image

from disentangle import figures
from disentangle.errors import UsageError
from disentangle.experiment import train


def test_traversal_goes_from_minus_3_to_3_inclusive(run):
    assert run.model.traversal(0, 7).tolist() == [-3, -2, -1, 0, 1, 2, 3]


def test_traversal_moves_one_latent_and_holds_the_others(run, monkeypatch):
    seen = []
    monkeypatch.setattr(run, "decode", lambda z: seen.append(z.clone()) or torch.zeros(5, 1, 2, 2))
    base = figures.Base("here", "h", torch.arange(10.0))
    block = figures.traverse(run, base, [4, 2], 5)
    assert block.shape == (2, 5, 1, 2, 2)
    for z, d in zip(seen, (4, 2), strict=True):
        assert z[:, d].tolist() == [-3, -1.5, 0, 1.5, 3]
        others = [i for i in range(10) if i != d]
        assert (z[:, others] == base.z[others]).all()


def test_latents_are_sorted_by_kl_active_first_and_inactive_ones_say_so(run, monkeypatch):
    class Code(figures.Posterior):
        def kl(self):
            return torch.tensor([[0.1, 5.0, 2.0, 3.0]]).repeat(6, 1)

    mean = torch.randn((6, 4), generator=torch.Generator().manual_seed(0))
    mean[:, 3] = 0.0
    monkeypatch.setattr(run, "code", lambda images: Code(mean, torch.zeros(6, 4)))
    latents = figures.measure_latents(run)
    assert latents.order == [1, 2, 0, 3]
    assert latents.active == [True, True, True, False]
    assert latents.labels[0] == "z1  KL 5.00"
    assert latents.labels[3] == "z3  KL 3.00\ninactive"


def test_bases_are_what_the_words_say(run):
    bases = figures.find_bases(run, ["seed", "first:2", "prior:3", "42"])
    assert [b.label for b in bases[1:]] == [
        "image 0",
        "image 1",
        "sample 1 of the prior",
        "sample 2 of the prior",
        "sample 3 of the prior",
        "image 42",
    ]
    assert bases[0].label.startswith("seed image ")
    torch.testing.assert_close(bases[1].z, run.encode(run.dataset.images([0]))[0])
    assert bases[3].image is None


@pytest.mark.parametrize("spec", ["last", "first:0", "prior:x", "75", "first:99", "42:3", "-1"])
def test_bad_base_is_refused(run, spec):
    with pytest.raises(UsageError, match=f"--base {spec}: "):
        figures.find_bases(run, [spec])


def test_all_figures_are_drawn_and_open(run):
    paths = figures.draw_all(run)
    assert {p.name for p in paths} == {
        "traversals.png",
        "traversals.gif",
        "reconstructions.png",
    }
    for path in paths:
        with Image.open(path) as image:
            image.load()
            assert image.width > 300
    with Image.open(run.figures / "traversals.gif") as gif:
        assert gif.n_frames == 2 * figures.FRAMES - 2


def test_picture_is_in_rows_and_columns_a_pixel_apart():
    images = torch.arange(6.0).view(2, 3, 1, 1, 1) / 10
    picture = figures.mosaic(images)
    assert picture.shape == (3, 5, 3)
    assert picture[::2, ::2, 0].tolist() == [[0, 26, 51], [76, 102, 128]]
    assert (picture[1] == 128).all()


def test_colour_is_kept():
    images = torch.zeros(1, 1, 3, 2, 2)
    images[0, 0, 2] = 1
    assert (figures.mosaic(images) == np.array([0, 0, 255])).all()


def test_model_without_a_posterior_is_drawn_without_a_prior(strangers, tmp_path):
    options = {"steps": 2, "batch_size": 8, "device": "cpu", "results": tmp_path}
    run = train("plain-code", "tiny", **options)
    assert (run.figures / "traversals.png").exists()
    with pytest.raises(UsageError, match="no prior to draw from"):
        figures.find_bases(run, ["prior"])
