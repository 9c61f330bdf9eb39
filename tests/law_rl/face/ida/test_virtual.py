"""Virtual candidates: any generator, batches that do not count, and images that fit the embedder."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from law_rl.face.ida import virtual
from law_rl.face.ida.generator import FaceGenerator, GeneratorConfig
from law_rl.face.ida.virtual import virtual_candidates


class Stub:
    """Makes images from noise by a function, as a wrapped generator of other training does."""

    def __init__(self, make: Callable[[Tensor], Tensor], noise_width: int = 3) -> None:
        self.make, self.noise_width = make, noise_width
        self.noises: list[Tensor] = []

    def __call__(self, noise: Tensor) -> Tensor:
        self.noises.append(noise)
        return self.make(noise)


def squares(channels: int = 1, size: int = 8) -> Callable[[Tensor], Tensor]:
    def make(noise: Tensor) -> Tensor:
        ramp = torch.linspace(0, 1, size * size).view(1, 1, size, size)
        return (128 + 40 * noise[:, :channels, None, None] * ramp).expand(-1, channels, -1, -1)

    return make


def pixels(images: Tensor) -> Tensor:
    assert images.dtype == torch.uint8
    return images.flatten(1).float()


def test_each_candidate_is_the_embedding_of_a_generated_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "BATCH", 4)
    generator = Stub(squares())
    found = virtual_candidates(generator, pixels, 10, seed=3)
    noise = torch.cat(generator.noises)
    assert noise.shape == (10, 3) and noise.dtype == torch.float32
    assert len(noise.unique(dim=0)) == 10
    torch.testing.assert_close(found, pixels(squares()(noise).round().clamp(0, 255).to(torch.uint8)))


def test_the_first_candidates_are_the_same_for_any_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "BATCH", 4)
    few, many, others = (virtual_candidates(Stub(squares()), pixels, n, seed=s) for n, s in ((6, 0), (9, 0), (6, 1)))
    assert torch.equal(few, many[:6]) and not torch.equal(few, others)


def test_noise_is_standard_normal() -> None:
    generator = Stub(squares(), noise_width=40)
    virtual_candidates(generator, pixels, 300, seed=0)
    noise = torch.cat(generator.noises)
    assert abs(noise.mean()) < 0.05 and abs(noise.std() - 1) < 0.05


def test_the_compact_generator_fits() -> None:
    generator = FaceGenerator(GeneratorConfig(size=16, noise_width=4, width=2), seed=0)
    found = virtual_candidates(generator, pixels, 3, seed=0)
    assert found.shape == (3, 256) and not found.requires_grad
    assert found.amin() >= 0 and found.amax() <= 255


def test_values_are_rounded_and_cut() -> None:
    made = torch.tensor([-7.0, 0.4, 0.6, 300.0]).view(1, 1, 2, 2)
    assert virtual_candidates(Stub(lambda _: made), pixels, 1, seed=0).tolist() == [[0, 0, 1, 255]]
    assert made.flatten().tolist() == pytest.approx([-7.0, 0.4, 0.6, 300.0])


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (1, 4, 4), (3, 20, 20)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_made_to_fit_as_pillow_does(shape: tuple[int, int, int], channels: int) -> None:
    generator = Stub(squares(channels))
    found = virtual_candidates(generator, pixels, 2, seed=0, image_shape=shape)
    image = squares(channels)(generator.noises[0])[0].round().to(torch.uint8).permute(1, 2, 0).numpy()
    picture = Image.fromarray(image if channels == 3 else image[:, :, 0])
    picture = picture.convert("L" if shape[0] == 1 else "RGB").resize(shape[1:], Image.Resampling.BILINEAR)
    expected = np.asarray(picture, dtype=np.float32).reshape(*shape[1:], shape[0])
    np.testing.assert_allclose(found[0].view(shape).permute(1, 2, 0), expected, atol=1.01)


def test_bytes_are_taken_as_they_are() -> None:
    made = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4)
    assert virtual_candidates(Stub(lambda _: made), pixels, 1, seed=0).tolist() == [list(range(16))]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (torch.zeros(1, 2, 4, 4), "let it make uint8 or floating images"),
        (torch.zeros(1, 1, 4, 5), "let it make uint8 or floating images"),
        (torch.zeros(1, 16), "let it make uint8 or floating images"),
        (torch.zeros(1, 1, 4, 4, dtype=torch.int32), "the generator makes torch.int32"),
        (torch.full((1, 1, 4, 4), torch.nan), "numbers that are not finite"),
    ],
)
def test_what_is_no_image_is_refused(made: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        virtual_candidates(Stub(lambda _: made), pixels, 1, seed=0)


def test_the_count_is_checked() -> None:
    with pytest.raises(ValueError, match="count is 0: ask for at least 1"):
        virtual_candidates(Stub(squares()), pixels, 0, seed=0)
