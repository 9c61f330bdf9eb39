import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from law_rl.face.data.alignment import TEMPLATE, align, similarity


def moved(points: np.ndarray, angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """The points turned by an angle in radians, scaled, and shifted."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ turn.T + shift


def umeyama(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Equations (40) to (43) of Umeyama 1991, by singular values: the similarity without reflection."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, singular, vt = np.linalg.svd(b.T @ a / len(a))
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(sign) @ vt
    scale = (singular * sign).sum() / a.var(0).sum()
    return np.column_stack([scale * rotation, target.mean(0) - scale * rotation @ source.mean(0)])


angles, scales = st.floats(-np.pi, np.pi), st.floats(0.05, 50)
shifts = st.tuples(st.floats(-500, 500), st.floats(-500, 500))


@settings(max_examples=100, deadline=None)
@given(angle=angles, scale=scales, shift=shifts, size=st.integers(16, 256))
def test_a_known_motion_is_undone(angle: float, scale: float, shift: tuple[float, float], size: int) -> None:
    found = similarity(moved(TEMPLATE, angle, scale, shift), size)
    ratio = size / 112
    turn = moved(np.eye(2), -angle, ratio / scale, (0, 0)).T
    np.testing.assert_allclose(found[:, :2], turn, rtol=1e-6, atol=1e-6 * ratio / scale)
    np.testing.assert_allclose(
        found[:, 2], -turn @ shift, rtol=1e-6, atol=1e-6 * ratio * (1 + np.hypot(*shift) / scale)
    )
    landed = moved(TEMPLATE, angle, scale, shift) @ found[:, :2].T + found[:, 2]
    np.testing.assert_allclose(landed, TEMPLATE * ratio, atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), angle=angles, scale=scales, noise=st.floats(0, 8))
def test_landmarks_that_do_not_fit_are_fitted_as_umeyama_does(
    seed: int, angle: float, scale: float, noise: float
) -> None:
    disturbed = TEMPLATE + noise * np.random.default_rng(seed).standard_normal((5, 2))
    landmarks = moved(disturbed, angle, scale, (3.0, -70.0))
    found = similarity(landmarks)
    assert np.linalg.det(found[:, :2]) > 0, "never mirrors"
    np.testing.assert_allclose(found, umeyama(landmarks, TEMPLATE), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    "landmarks",
    [
        np.zeros((5, 2)),
        np.full((5, 2), 1e5),
        TEMPLATE * 1e-3,
        TEMPLATE * (1, 0),
        TEMPLATE * (0, 1),
        np.arange(10.0).reshape(5, 2),
        (TEMPLATE - 56) * (-1, 1),
        TEMPLATE[[1, 0, 2, 4, 3]],
    ],
    ids=["zero", "equal", "tiny", "flat", "upright", "line", "mirrored", "swapped"],
)
def test_degenerate_landmarks_are_refused(landmarks: np.ndarray) -> None:
    with pytest.raises(ValueError, match="coincide, lie on a line or are mirrored: give left eye, right eye"):
        similarity(landmarks)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6, 1e300])
def test_coordinates_in_no_image_are_refused(value: float) -> None:
    landmarks = TEMPLATE.copy()
    landmarks[3, 1] = value
    with pytest.raises(ValueError, match="are no five points"):
        similarity(landmarks)


def test_shapes_and_sizes_are_checked() -> None:
    with pytest.raises(ValueError, match="are no five points"):
        similarity(TEMPLATE[:4])
    with pytest.raises(ValueError, match="size is 0"):
        similarity(TEMPLATE, 0)
    for wrong in (np.zeros((9, 9)), np.zeros((9, 9, 4), dtype=np.uint8), np.zeros(9, dtype=np.uint8)):
        with pytest.raises(ValueError, match=r"The image is .*: give uint8 \[H, W\] or \[H, W, 3\]"):
            align(wrong, TEMPLATE)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_face_in_place_is_left_alone(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (112, 112, channels), dtype=np.uint8)
    array = pixels.squeeze()
    for image in (array, Image.fromarray(array)):
        assert np.array_equal(align(image, TEMPLATE).permute(1, 2, 0).numpy(), pixels)


def test_a_shift_by_whole_pixels_moves_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (130, 140), dtype=np.uint8)
    inside = align(pixels, TEMPLATE + np.array([20, 10]))[0].int().numpy()
    assert np.abs(inside - pixels[10:122, 20:132]).max() <= 1, "interpolation rounds down"
    beside = align(pixels, TEMPLATE - np.array([7, 0]))[0].int().numpy()
    assert not beside[:, :7].any(), "black outside"
    assert np.abs(beside[:, 7:] - pixels[:112, :105]).max() <= 1


@pytest.mark.parametrize("size", [56, 112, 200])
def test_marks_in_the_image_land_on_the_template(size: int) -> None:
    """A soft blob on each landmark of a turned and enlarged face, found again by its centre of mass."""
    landmarks = moved(TEMPLATE, 0.4, 2.5, (90.0, 40.0))
    rows, columns = np.mgrid[:420, :420]
    for point, wanted in zip(landmarks, TEMPLATE * size / 112, strict=True):
        blob = 255 * np.exp(-((columns - point[0]) ** 2 + (rows - point[1]) ** 2) / (2 * 9.0**2))
        shown = align(blob.round().astype(np.uint8), landmarks, size)[0].double().numpy()
        y, x = np.mgrid[:size, :size]
        centre = np.array([(x * shown).sum(), (y * shown).sum()]) / shown.sum()
        np.testing.assert_allclose(centre, wanted, atol=0.1)


def test_other_modes_are_converted() -> None:
    assert align(Image.new("RGBA", (112, 112), (9, 8, 7, 255)), TEMPLATE)[:, 50, 50].tolist() == [9, 8, 7]
    assert align(Image.new("LA", (112, 112), (9, 255)), TEMPLATE)[:, 50, 50].tolist() == [9]
    assert align(Image.new("P", (112, 112)), TEMPLATE, 40).shape == (3, 40, 40)
