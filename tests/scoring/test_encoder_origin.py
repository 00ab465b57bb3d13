"""What the record of an external encoder says of its code."""

import pytest

from disentangle.scoring.encoder_loading import load_encoder
from disentangle.scoring.encoder_origin import full_origin


@pytest.mark.parametrize("options", ["", ":output=1", ":output=1,pool=mean"])
def test_python_file_is_recorded_with_a_digest_whatever_options_follow(tmp_path, options):
    file = tmp_path / "mine.py"
    digests = []
    for text in ("def encode(x):\n    return x, x\n", "def encode(x):\n    return x, x + 1\n"):
        file.write_text(text)
        digests.append(full_origin(load_encoder(f"{file}:encode{options}"))["code"])
    assert digests[0].startswith("mine.py ")
    assert digests[0] != digests[1]


def test_no_weights_are_recorded_of_a_function_that_has_none(tmp_path):
    (tmp_path / "pair.py").write_text("def pair(x):\n    return x, x\n")
    encoder = load_encoder(f"{tmp_path / 'pair.py'}:pair:output=0")
    assert "weights" not in full_origin(encoder)
