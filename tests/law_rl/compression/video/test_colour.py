"""Colours: codes of the standards, and what a round trip keeps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from law_rl.compression.video.colour import (
    BT601,
    BT709,
    FULL,
    LIMITED,
    Levels,
    Matrix,
    from_rgb,
    to_rgb,
    usual_matrix,
)

BARS = {"white": (255, 255, 255), "black": (0, 0, 0), "red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def plane(code: int) -> np.ndarray:
    return np.full((1, 1), code, np.uint8)


@pytest.mark.parametrize(
    ("name", "matrix", "codes"),
    [
        ("white", BT601, (235, 128, 128)),
        ("black", BT709, (16, 128, 128)),
        ("red", BT601, (81, 90, 240)),
        ("green", BT601, (145, 54, 34)),
        ("blue", BT601, (41, 240, 110)),
        ("red", BT709, (63, 102, 240)),
        ("green", BT709, (173, 42, 26)),
        ("blue", BT709, (32, 240, 118)),
    ],
)
def test_bars_have_the_codes_of_the_standards(name: str, matrix: Matrix, codes: tuple[int, int, int]) -> None:
    found = from_rgb(np.array([[BARS[name]]], np.uint8), matrix, LIMITED)
    assert tuple(int(each[0, 0]) for each in found) == codes


@given(codes=st.tuples(*[st.integers(0, 255)] * 3), hd=st.booleans(), full=st.booleans())
def test_every_code_becomes_the_nearest_colour(codes: tuple[int, int, int], hd: bool, full: bool) -> None:
    """Beside the standard's equations, solved as a linear system."""
    kr, kb = (0.2126, 0.0722) if hd else (0.299, 0.114)
    luma = np.array([kr, 1 - kr - kb, kb])
    forward = np.stack([luma, (np.eye(3)[2] - luma) / (2 - 2 * kb), (np.eye(3)[0] - luma) / (2 - 2 * kr)])
    y, b, r = codes
    signal = [y / 255, (b - 128) / 255, (r - 128) / 255] if full else [(y - 16) / 219, (b - 128) / 224, (r - 128) / 224]
    expected = np.clip(255 * np.linalg.solve(forward, signal), 0, 255)
    found = to_rgb(plane(y), plane(b), plane(r), BT709 if hd else BT601, FULL if full else LIMITED)[0, 0]
    assert np.abs(found - expected).max() <= 0.5 + 1e-9


@given(colour=st.tuples(*[st.integers(0, 255)] * 3))
@pytest.mark.parametrize("matrix", [BT601, BT709])
@pytest.mark.parametrize("levels", [LIMITED, FULL])
def test_a_round_trip_moves_a_colour_by_two_at_most(
    colour: tuple[int, int, int], matrix: Matrix, levels: Levels
) -> None:
    frame = np.array([[colour]], np.uint8)
    back = to_rgb(*from_rgb(frame, matrix, levels), matrix, levels)
    assert np.abs(back.astype(int) - frame).max() <= 2


def test_grey_stays_exact_in_full_levels() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    assert np.array_equal(to_rgb(*from_rgb(grey, BT601, FULL), BT601, FULL), grey)


def test_high_definition_begins_at_720_lines() -> None:
    assert (usual_matrix(719), usual_matrix(720)) == (BT601, BT709)
