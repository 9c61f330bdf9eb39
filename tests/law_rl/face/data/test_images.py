import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from law_rl.face.data import images
from law_rl.face.data.images import FaceImages, decode_face, decode_faces


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM"])
def test_lossless_images_come_as_they_are(kind: str, tmp_path: Path) -> None:
    pixels = noise(6, 6, 3)
    assert np.array_equal(decode_face(encoded(pixels, kind), size=6, channels=3).permute(1, 2, 0).numpy(), pixels)
    path = tmp_path / "face"
    path.write_bytes(encoded(pixels[:, :, 0], kind))
    grey = decode_face(path, size=6, channels=1)
    assert grey.shape == (1, 6, 6) and grey.dtype == torch.uint8
    assert np.array_equal(grey[0].numpy(), pixels[:, :, 0])
    assert torch.equal(decode_face(path, size=6, channels=3), grey.expand(3, 6, 6))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_images_come_close(kind: str) -> None:
    flat = np.full((16, 16, 3), (200, 90, 30), dtype=np.uint8)
    difference = decode_face(encoded(flat, kind), size=8, channels=3).permute(1, 2, 0).numpy() - flat[:8, :8].astype(
        int
    )
    assert np.abs(difference).max() <= 6


def test_colours_become_luma() -> None:
    flat = np.full((4, 4, 3), (200, 100, 50), dtype=np.uint8)
    assert decode_face(encoded(flat), size=2, channels=1).unique().tolist() == [round(0.299 * 200 + 58.7 + 5.7)]


def test_images_are_shrunk_with_a_triangle_filter() -> None:
    step = np.zeros((8, 8), dtype=np.uint8)
    step[:, 4:] = 160
    shrunk = decode_face(encoded(step), size=4, channels=1)[0]
    # an output pixel weighs input columns by a triangle of half width 2: 1 3 3 1
    weights = np.array([1, 3, 3, 1]) / 8
    assert shrunk[0].tolist() == [0, round(160 * weights[3]), round(160 * weights[1:].sum()), 160]


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "ICO"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=r"Image in memory cannot be read .*: repair it or leave it out"):
        decode_face(encoded(noise(16, 16, 3), kind), size=4, channels=3)


def test_more_than_8_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 8 bits a channel"):
        decode_face(encoded(np.full((4, 4), 40_000, dtype=np.uint16)), size=4, channels=1)


def test_a_decompression_bomb_is_refused_undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = b"P5 60000 60000 255\n"
    with pytest.raises(ValueError, match="Image bomb cannot be read"):
        decode_face(bomb, size=4, channels=1, name="bomb")
    monkeypatch.setattr(images, "MOST_PIXELS", 15)
    with pytest.raises(ValueError, match="4 x 4 pixels are too many"):
        decode_face(encoded(noise(4, 4)), size=4, channels=1)


@pytest.mark.filterwarnings("error")
def test_a_bomb_that_pillow_warns_of_is_refused_where_warnings_are_errors() -> None:
    with pytest.raises(ValueError, match="Image bomb cannot be read"):
        decode_face(b"P5 10000 10000 255\n", size=4, channels=1, name="bomb")


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(images.FORMATS),
    cut=st.integers(0, 10**6),
    flips=st.dictionaries(st.integers(0, 200), st.integers(0, 255), max_size=4),
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_damage_is_read_or_named(kind: str, cut: int, flips: dict[int, int]) -> None:
    data = bytearray(encoded(noise(12, 10, 3), kind))
    for place, value in flips.items():
        data[place % len(data)] = value
    try:
        face = decode_face(bytes(data[: cut % len(data)]), size=4, channels=3, name="a face")
    except ValueError as error:
        assert str(error).startswith("Image a face cannot be read (")
    else:
        assert face.shape == (3, 4, 4)


def test_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "face.jpg"
    with pytest.raises(FileNotFoundError, match=r"face\.jpg does not exist"):
        decode_face(path, size=4, channels=1)
    path.write_bytes(encoded(noise(16, 16, 3), "JPEG")[:-60])
    with pytest.raises(ValueError, match=r"face\.jpg cannot be read .*truncated"):
        decode_face(path, size=4, channels=1)


def test_many_are_decoded_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "BLOCK", 3)
    faces = [np.full((2, 2), number, dtype=np.uint8) for number in range(20)]
    decoded = decode_faces(20, lambda index: (encoded(faces[index]), ""), size=2, channels=1)
    assert decoded.shape == (20, 1, 2, 2) and decoded[:, 0, 0, 0].tolist() == list(range(20))
    assert decode_faces(0, lambda index: (b"", ""), size=2, channels=3).shape == (0, 3, 2, 2)
    with pytest.raises(ValueError, match="Image 7 cannot be read"):
        decode_faces(20, lambda index: (b"" if index > 6 else encoded(faces[index]), str(index)), size=2, channels=1)


def test_sizes_and_channels_are_checked() -> None:
    with pytest.raises(ValueError, match="size is 0: give the side"):
        decode_face(b"", size=0, channels=1)
    with pytest.raises(ValueError, match="channels is 4: give 1 for grey or 3"):
        decode_faces(1, lambda index: (b"", ""), size=1, channels=4)


def test_face_images_check_themselves() -> None:
    pixels, identities = torch.zeros(3, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 1, 0])
    FaceImages(images=pixels, identities=identities, names=("a", "b"))
    FaceImages(images=pixels[:0], identities=identities[:0], names=())
    for wrong in (pixels.float(), pixels[0], pixels[..., :3], pixels.expand(3, 2, 4, 4), pixels[..., :0, :0]):
        with pytest.raises(ValueError, match=r"FaceImages\.images is .*: give uint8 \[N, C, S, S\]"):
            FaceImages(images=wrong, identities=identities, names=("a", "b"))
    for few in (identities[:2], identities.int(), identities[None]):
        with pytest.raises(ValueError, match=r"FaceImages\.identities is .*: give int64 \[3\]"):
            FaceImages(images=pixels, identities=few, names=("a", "b"))
    for shift in (-1, 1):
        with pytest.raises(ValueError, match="with 2 names: number the identities from 0"):
            FaceImages(images=pixels, identities=identities + shift, names=("a", "b"))
