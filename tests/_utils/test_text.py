"""Names of files."""

import pytest

from disentangle._utils.text import file_stem


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
