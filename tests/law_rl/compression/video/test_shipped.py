"""Video models that ship: found as image models are, each with an intra model that ships too."""

from pathlib import Path

from law_rl.compression.image_metrics import psnr
from law_rl.compression.video.container import VideoReader
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.shipped import shipped_video_models, video_model_of_hash, video_model_path
from law_rl.compression.video.video_codec import load_video_codec
from tests.law_rl.compression.video.tiny import moving, video_model

GOLDEN = Path(__file__).parents[3] / "golden"


def test_one_is_found_by_quality_name_path_and_hash(tmp_path: Path) -> None:
    path = tmp_path / "b.safetensors"
    video_model().save(path)
    assert dict(shipped_video_models(tmp_path)) == {2: path}
    assert all(video_model_path(name, tmp_path) == path for name in (2, "2", "b", path))
    assert video_model_of_hash(video_model().hash, tmp_path) == path


def test_those_of_this_law_rl_are_whole_and_in_order_of_rate() -> None:
    models = shipped_video_models()
    assert list(models) == [1, 2, 3]
    rates = []
    for quality, path in models.items():
        model = VideoModel.load(path)
        assert model.quality == quality and model.intra_model().hash == model.intra
        assert path.stat().st_size < 4_000_000
        rates.append(model.provenance["validation"]["bpp"])
    assert rates == sorted(rates)


def test_a_file_of_a_model_that_ships_still_decodes_to_the_same_pixels() -> None:
    """Where this fails, users' files no longer decode: the model that wrote them must go on shipping."""
    reader = VideoReader((GOLDEN / "video_shipped.edicv").read_bytes())
    codec = load_video_codec(video_model_of_hash(reader.header.model))
    frames = [frame for _, frame in codec.decode(reader)]  # checks the CRC32 of each frame's pixels
    assert len(frames) == 4 and len(reader.gops) == 2
    assert min(psnr(frame, shown) for frame, shown in zip(frames, moving(4, 48, 80), strict=True)) > 30
