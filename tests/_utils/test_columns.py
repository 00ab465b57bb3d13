"""Wrapped words and aligned columns."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disentangle._utils.columns import aligned, fill, head, number, paragraph, words

WORD = st.text(
    st.characters(codec="ascii", exclude_characters="\x7f", min_codepoint=33), min_size=1
)
NUMBER = st.floats(-1e4, 1e4).map("{:.3f}".format)


@pytest.mark.parametrize("cut", [words, head, number])
@given(st.lists(WORD, max_size=8).map(" ".join))
def test_pieces_together_are_the_text(cut, text):
    assert "".join(cut(text)) == text


@pytest.mark.parametrize(
    "whole", ["61.6 to 63.6", "17 of 100", "64 x 64", "1.4 %", "0.858 ± 0.007", "3 (+1 unfinished)"]
)
def test_numbers_that_are_read_together_stay_on_one_line(whole):
    first, *_ = whole.partition(" (")
    for width in range(1, 40):
        assert any(first in line for line in paragraph(f"between them {whole} and more", width))


def test_headings_break_between_words_alone():
    assert head("dci-lgbm/completeness [beta=-0.5; lr=1e-4]") == (
        "dci-",
        "lgbm/",
        "completeness ",
        "[beta=-0.5; ",
        "lr=1e-4]",
    )


@given(st.lists(WORD, max_size=12).map(" ".join), st.integers(1, 60))
def test_only_a_single_word_is_longer_than_the_line(text, width):
    lines = fill(words(text), width)
    assert " ".join(lines).split() == text.split()
    assert all(len(line) <= width or len(words(line)) == 1 for line in lines)


@given(st.lists(st.lists(NUMBER, min_size=6, max_size=6), min_size=1, max_size=4))
@pytest.mark.parametrize("width", [20, 40, 79, 200])
def test_numbers_stand_under_their_names_at_any_width(width, rows):
    names = ["shape", "scale", "orientation of the left hand, in degrees", "x", "y", "floor-hue"]
    table = [["", *names], *([f"latent {i}", *row] for i, row in enumerate(rows))]
    text = "\n".join(aligned(table, width, numbers=6))
    for block in text.split("\n\n"):
        last = [line for line in block.splitlines() if line.startswith("latent")]
        ends = [{m.end() for m in re.finditer(r"-?\d+\.\d{3}", line)} for line in last]
        assert all(end == ends[0] for end in ends)
    found = re.findall(r"-?\d+\.\d{3}\b", text)
    assert sorted(found) == sorted(number for row in rows for number in row)


def test_words_of_a_list_are_wrapped_under_their_column():
    rows = [("models", ""), ("  beta-vae", "the loss of a VAE with a weight on its KL term")]
    assert aligned(rows, 40) == [
        "models",
        "  beta-vae  the loss of a VAE with a",
        "            weight on its KL term",
    ]


def test_word_that_is_longer_than_the_terminal_narrows_no_other_column():
    path = "/a" * 60
    rows = [("python", f"3.11 at {path} in use"), ("cores", "2")]
    assert aligned(rows, 60) == [
        "python  3.11 at",
        f"        {path}",
        "        in use",
        "cores   2",
    ]


def test_last_of_many_columns_goes_below_where_it_would_be_narrow():
    state = "not available; run `disentangle data prepare celeba --from PATH`"
    rows = [("dataset", "images", "licence", "state"), ("celeba", "202,599", "research", state)]
    assert aligned(rows, 50) == [
        "dataset  images   licence",
        "celeba   202,599  research",
        "    state: not available; run `disentangle data",
        "    prepare celeba --from PATH`",
    ]
    assert aligned(rows, 70)[1:] == [
        "celeba   202,599  research  not available; run `disentangle data",
        "                            prepare celeba --from PATH`",
    ]
