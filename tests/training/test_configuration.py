"""The message for a model that needs another class of dataset."""

from disentangle.contracts.dataset import Grid
from disentangle.testing.examples import Speckle
from disentangle.training.configuration import unmet


def test_model_that_needs_a_grid_says_how_to_hold_out_one():
    part = Speckle({"a": 4, "b": 3}, (), (1, 1, 1)).view(hold_out=["a=3,b=2"])
    assert unmet(Grid, part) == (
        "needs a grid, an image for every combination of factors, of which this part of 'speckle' "
        "lacks some; hold out whole values of a factor, as by `--hold-out FACTOR=VALUE`"
    )
