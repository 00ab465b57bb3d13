"""Text for people: broken between words alone, sorted by numbers, and names of files."""

import re

import pytest

from disentangle._utils.text import (
    as_whole,
    beside,
    count,
    file_stem,
    joined,
    natural_key,
    reflow,
    wrap,
)

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


@pytest.mark.parametrize(
    ("parts", "stem"),
    [
        (["protocols", "mig [default; disjoint; mean]"], "protocols-mig-default-disjoint-mean"),
        (["effect", "elbo/kl", "batch_size", ""], "effect-elbo-kl-batch-size"),
        (["traversals", "range 1.5"], "traversals-range-1-5"),
    ],
)
def test_stem_of_a_file_is_what_latex_takes(parts, stem):
    assert file_stem(*parts) == stem


def test_numbers_in_text_are_sorted_as_numbers():
    names = ["b beta=16.0", "b beta=2.0", "b", "a beta=8.0", "b beta=0.5"]
    assert sorted(names, key=natural_key) == [names[3], names[2], names[4], names[1], names[0]]


def test_one_thing_is_singular():
    assert [count(n, "run") for n in (0, 1, 2000)] == ["0 runs", "1 run", "2,000 runs"]


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("-3", -3), ("1e5", 100_000), ("2.0", 2), ("1.5", None), ("x", None), ("inf", None)],
)
def test_whole_numbers_are_written_in_several_ways(text, number):
    assert as_whole(text) == number
    assert type(as_whole(text)) is type(number)


def test_names_are_joined_as_in_a_sentence():
    assert [joined(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        *("", "a", "a and b", "a, b and c")
    ]
