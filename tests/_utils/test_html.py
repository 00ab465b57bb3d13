import base64
import io
import re

import numpy as np
from PIL import Image

from disentangle._utils import html
from disentangle.reports import sprites


def greys_with_a_red_corner():
    """An image of all greys in which 16 pixels of 40,000 are red."""
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.integers(0, 256, (200, 200, 1), np.uint8), 3, axis=2)
    pixels[:4, :4] = 200, 20, 20
    return Image.fromarray(pixels)


def embedded(source):
    content = re.search("base64,([^\"']+)", source)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"), int)


def test_embedded_picture_keeps_a_rare_colour():
    pixels = embedded(html.picture(greys_with_a_red_corner(), "a test"))
    assert abs(pixels[1, 1] - [200, 20, 20]).max() < 20


def test_embedded_figure_keeps_a_rare_colour(tmp_path):
    path = tmp_path / "figure.png"
    greys_with_a_red_corner().save(path)
    uri, _ = sprites.figure_uri(path)
    assert abs(embedded(uri)[1, 1] - [200, 20, 20]).max() < 20
