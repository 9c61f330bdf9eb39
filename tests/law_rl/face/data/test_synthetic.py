import hashlib
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.face.data import synthetic
from law_rl.face.data.synthetic import IDENTITY, VIEW, SyntheticConfig, synthetic_faces


def faces(identities: int = 4, per_identity: int = 3, size: int = 16, seed: int = 0) -> torch.Tensor:
    """uint8 [identities, per_identity, S, S]."""
    images, _ = synthetic_faces(SyntheticConfig(identities=identities, per_identity=per_identity, size=size, seed=seed))
    return images.view(identities, per_identity, size, size)


def test_images_lie_identity_by_identity() -> None:
    images, identities = synthetic_faces(SyntheticConfig(identities=3, per_identity=2, size=20))
    assert images.dtype == torch.uint8 and images.shape == (6, 1, 20, 20)
    assert identities.dtype == torch.int64 and identities.tolist() == [0, 0, 1, 1, 2, 2]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(8, 24), st.integers(1, 4000))
def test_an_image_does_not_depend_on_how_many_others_are_drawn(
    identities: int, per_identity: int, size: int, chunk: int
) -> None:
    whole = faces(6, 5, size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "CHUNK_PIXELS", chunk)
        assert torch.equal(faces(identities, per_identity, size), whole[:identities, :per_identity])


def test_the_seed_alone_decides() -> None:
    first = faces()
    torch.manual_seed(3)
    assert torch.equal(first, faces())
    other = faces(seed=1)
    assert (first.flatten(2) != other.flatten(2)).any(2).all()


def test_the_bits_are_the_same_on_every_machine() -> None:
    digest = hashlib.sha256(faces(40, 7, 33, seed=2).numpy().tobytes()).hexdigest()
    assert digest.startswith("382ea074cbc259b1")


def test_all_images_differ() -> None:
    images = faces(20, 10, 16).flatten(0, 1).flatten(1)
    assert len(torch.unique(images, dim=0)) == 200
    assert (images.double().std(1) > 5).all()


def still(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Every number that `name` holds gets one value, the middle of its range."""
    ranges = getattr(synthetic, name)
    monkeypatch.setattr(synthetic, name, {key: ((low + high) / 2,) * 2 for key, (low, high) in ranges.items()})


def test_the_view_alone_tells_images_of_an_identity_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    still(monkeypatch, "VIEW")
    monkeypatch.setitem(synthetic.VIEW, "noise", (0.0, 0.0))  # type: ignore[arg-type]
    images = faces()
    assert torch.equal(images, images[:, :1].expand_as(images))
    assert len(torch.unique(images[:, 0].flatten(1), dim=0)) == 4


def test_the_identity_alone_tells_identities_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    still(monkeypatch, "IDENTITY")
    still(monkeypatch, "VIEW")
    monkeypatch.setitem(synthetic.VIEW, "noise", (0.0, 0.0))  # type: ignore[arg-type]
    images = faces()
    assert torch.equal(images, images[:1, :1].expand_as(images))


TABLES = [("IDENTITY", name) for name in IDENTITY] + [("VIEW", name) for name in VIEW]


@pytest.mark.parametrize(("table", "name"), TABLES)
def test_every_number_changes_the_drawing(monkeypatch: pytest.MonkeyPatch, table: str, name: str) -> None:
    ranges = getattr(synthetic, table)
    both = []
    for end in ranges[name]:
        with monkeypatch.context() as patch:
            patch.setattr(synthetic, table, {**ranges, name: (end, end)})
            both.append(faces(8, 4, 32).flatten(1))
    assert (both[0] != both[1]).any(1).double().mean() > 0.3


def middle(images: torch.Tensor, across: float, down: float) -> torch.Tensor:
    """The mean tone about a place given as shares of the sides."""
    side = images.shape[-1]
    x, y = round(across * side), round(down * side)
    return images[..., y - 2 : y + 2, x - 2 : x + 2].double().mean()


def test_the_features_are_where_arcface_puts_them() -> None:
    average = faces(100, 10, 56).double().mean((0, 1))
    for eye in (0.34, 0.66):
        assert middle(average, eye, 0.46) < middle(average, 0.5, 0.5) - 8
        assert middle(average, eye, 0.46) < middle(average, eye, 0.6) - 8
    assert middle(average, 0.5, 0.82) < middle(average, 0.5, 0.72) - 8
    assert middle(average, 0.5, 0.82) < middle(average, 0.25, 0.72) - 8
    rows = average[:, 26:30].mean(1)
    assert 0.76 < (int(rows[38:52].argmin()) + 38) / 56 < 0.88


def equal_error_rate(images: torch.Tensor) -> float:
    """Of the cosine of pixels [I, J, S, S], over all pairs."""
    count, each = images.shape[:2]
    vectors = torch.nn.functional.normalize(images.flatten(0, 1).flatten(1).double())
    same = torch.arange(count * each)[:, None] // each == torch.arange(count * each)[None] // each
    pairs = torch.ones_like(same).triu(1)
    scores = vectors @ vectors.T
    genuine, impostor = scores[pairs & same].sort().values, scores[pairs & ~same].sort().values
    rejected = torch.arange(len(genuine)) / len(genuine)
    accepted = 1 - torch.searchsorted(impostor, genuine) / len(impostor)
    return float(torch.maximum(rejected, accepted).min())


def test_pixels_alone_verify_badly_but_better_than_chance() -> None:
    assert 0.30 < equal_error_rate(faces(100, 8, 32)) < 0.42


def test_two_thousand_images_take_seconds() -> None:
    faces(2, 2, 32)
    start = time.process_time()
    faces(200, 10, 32)
    assert time.process_time() - start < 8


@pytest.mark.parametrize("field", ["identities", "per_identity"])
def test_no_images_are_refused(field: str) -> None:
    with pytest.raises(ValueError, match=f"SyntheticConfig.{field} is 0: give at least 1"):
        SyntheticConfig(**{"identities": 2, "per_identity": 2, "size": 16, field: 0})


def test_images_too_small_for_a_face_are_refused() -> None:
    with pytest.raises(ValueError, match="size is 7: give at least 8"):
        SyntheticConfig(identities=1, per_identity=1, size=7)
