"""Linear support vector machines of one latent, against scikit-learn's."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import LinearSVC

from disentangle.maths.linear_svm import fit_svms

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=25)
@given(
    SEEDS,
    st.integers(2, 5),
    st.sampled_from([1e-4, 1.0, 1e3]),
    st.sampled_from([0.0, 3.0]),
    st.sampled_from([1e-4, 0.01, 1.0]),
)
def test_machines_are_scikit_learns(seed, values, scale, shift, c):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(120) % 7 % values)
    x = scale * (shift + y % 3 + rng.normal(size=len(y)))
    count = np.bincount(y)
    own = c * len(y) / (values * count)
    others = own[::-1] if values == 2 else np.full(values, c)
    w, b = fit_svms(x, y[:, None], own, others)
    expected = LinearSVC(C=c, class_weight="balanced", dual=False, tol=1e-10, max_iter=10_000)
    expected.fit(x[:, None], y)
    w, b = (w[1:], b[1:]) if values == 2 else (w, b)
    np.testing.assert_allclose(w * scale, expected.coef_[:, 0] * scale, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(b, expected.intercept_, rtol=1e-4, atol=1e-6)
