"""Text for people: lines are broken between words alone."""

import re

import pytest

from disentangle._utils.text import beside, reflow, wrap

ADVICE = (
    "From the spectrum of 1,000 images, collapse is predicted above beta = 62.9 (range over random "
    "halves of the images: 61.6 to 63.6), which is at results/default/dsprites/beta-vae/3f2a8c91d0."
)


@pytest.mark.parametrize("width", range(24, 120, 7))
def test_no_word_or_number_is_broken_at_any_width(width):
    lines = wrap(ADVICE, width).splitlines()
    assert " ".join(lines) == ADVICE
    assert all(len(line) <= width or " " not in line for line in lines)


def test_without_a_width_nothing_is_broken():
    assert wrap(ADVICE, None) == reflow(ADVICE, None) == ADVICE
    assert beside("name", ADVICE, 8, None) == [f"name    {ADVICE}"]


def test_continued_lines_are_indented_as_the_first():
    assert wrap("    one two three\nfour", 11) == "    one two\n    three\nfour"


def test_paragraphs_are_filled_and_indented_lines_stay_apart():
    text = "one\ntwo\n\nthree\n  four\n  five\nsix"
    assert reflow(text, 20) == "one two\n\nthree\n  four\n  five\nsix"


def test_text_stands_beside_its_name_or_below_one_that_is_too_long():
    assert beside("ab", "one two three", 6, 13) == ["ab    one two three"]
    assert beside("ab", "one two three four", 6, 22) == ["ab    one two three", "      four"]
    assert beside("abcdef", "one", 6, 30) == ["abcdef", "      one"]
    assert re.match("ab$", beside("ab", "", 6, 30)[0])
