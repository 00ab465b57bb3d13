"""Names of files."""

import pytest

from disentangle._utils.text import counted, file_stem, natural


@pytest.mark.parametrize(
    ("parts", "stem"),
    [
        (["protocols", "mig [default; disjoint; mean]"], "protocols-mig-default-disjoint-mean"),
        (["sweep", "elbo/kl", "batch_size", ""], "sweep-elbo-kl-batch-size"),
        (["traversals", "range 1.5"], "traversals-range-1-5"),
    ],
)
def test_stem_of_a_file_is_what_latex_takes(parts, stem):
    assert file_stem(*parts) == stem


def test_numbers_in_text_are_sorted_as_numbers():
    names = ["b beta=16.0", "b beta=2.0", "b", "a beta=8.0", "b beta=0.5"]
    assert sorted(names, key=natural) == [names[3], names[2], names[4], names[1], names[0]]


def test_one_thing_is_singular():
    assert [counted(n, "run") for n in (0, 1, 2000)] == ["0 runs", "1 run", "2,000 runs"]
