import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from law_rl.actions import SampleWeights
from law_rl.weighting import LinearTanh

HEAD = SampleWeights(features=("loss", "margin"), gain=3.0)


def test_entries_are_named_in_order() -> None:
    assert HEAD.names == ("weight of loss", "weight of margin", "bias")


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_an_action_is_clipped_into_a_linear_tanh_rule(action: list[float]) -> None:
    clipped = [min(max(entry, -1.0), 1.0) for entry in action]
    expected = LinearTanh(features=("loss", "margin"), weights=tuple(clipped[:2]), bias=clipped[2], gain=3.0)
    assert HEAD.directive(action).weighting == expected


def test_a_head_survives_json() -> None:
    assert SampleWeights.from_json(json.loads(json.dumps(HEAD.to_json()))) == HEAD


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features": ("height",)}, "features names 'height'"),
        ({"features": ()}, "features names nothing"),
        ({"gain": 0.0}, "gain is 0.0: give a number above 0"),
        ({"gain": 101.0}, "gain is 101.0"),
        ({"gain": math.nan}, "gain is nan"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SampleWeights(**settings)


def test_an_action_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="action has 2 entries: give 3, namely weight of loss, weight of margin, bias"):
        HEAD.directive([0.0, 0.0])
