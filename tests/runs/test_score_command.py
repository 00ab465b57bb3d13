"""The command that adds scores to an external encoder."""

import pytest

from disentangle.runs.external import ExternalRecord
from disentangle.runs.score_command import score_command

DATASET = {
    "name": "tiny",
    "fingerprint": "f",
    "source": "s",
    "strength": "labelled",
    "images": 75,
    "image_shape": (1, 64, 64),
}


@pytest.mark.parametrize(
    ("kind", "origin", "dataset", "command"),
    [
        (
            "encoder",
            {"reference": "timm:vit:pool=mean"},
            "tiny",
            "--encoder timm:vit:pool=mean --dataset tiny --name own",
        ),
        (
            "encoder",
            {"file": "e.pt2 0123456789abcdef"},
            "tiny",
            "--encoder e.pt2 --dataset tiny --name own",
        ),
        (
            "encoder",
            {"reference": "__main__:<lambda>"},
            "tiny",
            "--encoder REFERENCE --dataset tiny --name own",
        ),
        (
            "codes",
            {"file": "c.npy 01", "labels": "y.npy 23"},
            "arrays",
            "--codes c.npy --labels y.npy --name own",
        ),
        ("codes", {}, "tiny", "--codes FILE --dataset tiny --name own"),
    ],
)
def test_what_the_record_holds_is_filled_in(kind, origin, dataset, command):
    record = ExternalRecord(
        kind=kind,
        name="own",
        origin=origin,
        latents=2,
        dataset={**DATASET, "name": dataset},
        created="now",
        packages={},
    )
    assert score_command(record) == f"disentangle score {command}"
    assert score_command(record, ["sap"], "out").endswith("--name own --metric sap --results out")
