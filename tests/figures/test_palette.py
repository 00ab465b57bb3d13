"""The colours of figures: contrast on white, and differences for each kind of colour vision."""

from itertools import combinations

import numpy as np
import pytest
from helpers.figure_checks import contrast
from matplotlib.colors import to_rgb

from disentangle.figures import palette

# Machado, Oliveira and Fernandes (2009), severity 1.
VISION = {
    "usual": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour, matrix):
    """Return a colour in CIELAB, as seen with this vision."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = XYZ @ np.clip(np.array(matrix) @ linear, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(seen > 0.008856, np.cbrt(seen), 7.787 * seen + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_lines_and_markers_have_a_contrast_of_3_on_white():
    for colour in (*palette.SERIES, palette.FAINT):
        assert contrast(colour) >= 3, colour


def test_texts_have_a_contrast_of_4_5_on_white():
    for colour in (palette.INK, palette.GREY):
        assert contrast(colour) >= 4.5, colour


def test_contrast_is_that_of_wcag():
    assert contrast("black") == pytest.approx(21)
    assert contrast("#777777") == pytest.approx(4.48, abs=0.01)
    assert contrast("yellow") == pytest.approx(1.07, abs=0.01)


@pytest.mark.parametrize("vision", VISION)
def test_series_are_told_apart_in_each_colour_vision(vision):
    seen = [lab(colour, VISION[vision]) for colour in palette.SERIES]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 12


def test_twenty_series_differ_in_colour_marker_or_line():
    looks = [(*palette.series(i).values(), palette.line_of(i)) for i in range(20)]
    assert len(set(looks)) == 20
