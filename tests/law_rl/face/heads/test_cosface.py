import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.face.heads.cosface import CosFace
from tests.law_rl.face.heads.references import assert_close, draw, values_and_slopes


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), samples=st.integers(1, 9), classes=st.integers(1, 7), margin=st.floats(0, 1))
def test_values_and_gradients(seed: int, samples: int, classes: int, margin: float) -> None:
    cosines, targets, norms = draw(samples, classes, seed)
    cosines[0, 0] = -1.0
    expected = cosines.double().numpy().copy()
    expected[np.arange(samples), targets.numpy()] -= margin
    found = values_and_slopes(CosFace(margin), cosines, targets, norms)
    assert_close(found, (expected, np.ones_like(expected)))
