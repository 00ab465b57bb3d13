"""What a metric returns is checked before it is recorded."""

import numpy as np
import pytest

from disentangle.contracts.metric import Detail
from disentangle.errors import BrokenContract
from disentangle.scoring.arrays import array_source
from disentangle.scoring.metric_spec import check_scores


def test_detail_says_what_it_is_in_text():
    source = array_source(np.eye(4), np.arange(4)[:, None] % 2)
    scores = {"m": 1.0, "m/each": Detail(("latent",), np.zeros(4), 5)}
    with pytest.raises(BrokenContract, match="detail 'm/each': about must be text, got int"):
        check_scores("m", scores, source)
