"""The Hausdorff factorised support against loops in NumPy, and where its value is known."""

from itertools import combinations, product

import numpy as np
import pytest
import torch

from disentangle._utils.seeds import torch_rng
from disentangle.maths import draw_latent_pairs, factorised_support

EVERY = torch.combinations(torch.arange(4))


def by_hand(z, pairs, rows=None):
    """max_c min_n |c - z_n|^2 of each pair, by loops over combinations and points."""
    z, distances = z.double().numpy(), []
    for p, (i, j) in enumerate(pairs.tolist()):
        chosen = product(range(len(z)), repeat=2) if rows is None else rows[:, p].tolist()
        distances.append(
            max(
                min((z[a, i] - z[n, i]) ** 2 + (z[b, j] - z[n, j]) ** 2 for n in range(len(z)))
                for a, b in chosen
            )
        )
    return distances


@pytest.mark.parametrize("drawn", [None, 1, 7, 300])
def test_distances_are_those_of_loops_over_combinations_and_points(drawn):
    rng = torch_rng(0, "test")
    z = torch.randn((11, 4), generator=rng, dtype=torch.float64)
    rows = None if drawn is None else torch.randint(11, (drawn, len(EVERY), 2), generator=rng)
    found = factorised_support(z, EVERY, rows).numpy()
    np.testing.assert_allclose(found, by_hand(z, EVERY, rows), rtol=1e-12)


def test_distances_do_not_depend_on_how_many_are_computed_at_once(monkeypatch):
    z = torch.randn((11, 4), generator=torch_rng(0, "test"))
    whole = factorised_support(z, EVERY)
    monkeypatch.setattr("disentangle.maths.hausdorff.AT_ONCE", 1)
    assert torch.equal(factorised_support(z, EVERY), whole)


def test_full_grid_of_codes_has_a_factorised_support():
    z = torch.tensor(list(product([-1.0, 0.5, 3.0], [0.0, 2.0], [1.0], [-4.0, 0.0])))
    rows = torch.randint(len(z), (500, len(EVERY), 2), generator=torch_rng(0, "test"))
    assert factorised_support(z, EVERY).tolist() == [0] * 6
    assert factorised_support(z, EVERY, rows).tolist() == [0] * 6


def test_grid_whose_combinations_are_not_equally_frequent_has_a_factorised_support_too():
    z = torch.tensor([[0.0, 0.0]] * 50 + [[1.0, 1.0]] * 50 + [[0.0, 1.0], [1.0, 0.0]])
    assert np.corrcoef(z.T.numpy())[0, 1] > 0.9
    assert factorised_support(z, torch.tensor([[0, 1]])).item() == 0


def test_diagonal_codes_are_far_by_the_corner_that_never_occurs():
    values = torch.linspace(0, 1, 5)
    z = torch.stack([values, values, torch.zeros(5)], 1)
    found = factorised_support(z, torch.tensor([[0, 1], [0, 2]]))
    assert found.tolist() == [0.5, 0]  # from (0, 1) to (0.5, 0.5)


def test_gradient_is_that_of_the_combination_and_of_its_nearest_point():
    z = torch.randn((9, 4), generator=torch_rng(1, "test"), dtype=torch.float64).requires_grad_()
    torch.autograd.gradcheck(lambda codes: factorised_support(codes, EVERY), (z,))
    (gradient,) = torch.autograd.grad(factorised_support(z, EVERY[:1]).sum(), z)
    assert 2 <= int((gradient != 0).any(1).sum()) <= 3


def test_pairs_are_distinct_and_each_is_drawn_as_often():
    rng = torch_rng(0, "test")
    drawn = [frozenset(map(tuple, draw_latent_pairs(5, 4, rng).tolist())) for _ in range(2000)]
    assert all(len(pairs) == 4 for pairs in drawn)
    counts = {pair: sum(pair in pairs for pairs in drawn) for pair in combinations(range(5), 2)}
    assert sum(counts.values()) == 8000
    assert all(abs(count - 800) < 100 for count in counts.values())


def test_all_pairs_are_drawn_if_there_are_fewer_than_asked_for():
    pairs = draw_latent_pairs(4, 25, torch_rng(0, "test"))
    assert sorted(pairs.tolist()) == EVERY.tolist()
