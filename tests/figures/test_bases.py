"""Bases of traversals: what the words name."""

import pytest
import torch

from disentangle.errors import OldSpelling, UsageError
from disentangle.figures.bases import find_bases


def test_bases_are_what_the_words_say(run):
    bases = find_bases(run, ["random", "first:2", "prior:3", "42"])
    assert [b.label for b in bases[1:]] == [
        "image 0",
        "image 1",
        "sample 1 of the prior",
        "sample 2 of the prior",
        "sample 3 of the prior",
        "image 42",
    ]
    assert bases[0].label.startswith("random image ")
    torch.testing.assert_close(bases[1].z, run.encode(run.dataset.images([0]))[0])
    assert bases[3].image is None


def test_old_name_of_a_random_image_is_taken_with_a_warning(run):
    with pytest.warns(OldSpelling, match="--base seed is now --base random"):
        (base,) = find_bases(run, ["seed"])
    assert base.label == find_bases(run, ["random"])[0].label


@pytest.mark.parametrize("spec", ["last", "first:0", "prior:x", "75", "first:99", "42:3", "-1"])
def test_bad_base_is_refused(run, spec):
    with pytest.raises(UsageError, match=f"--base {spec}: "):
        find_bases(run, [spec])
