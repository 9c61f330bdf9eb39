"""Which model a verb of the video codec works with."""

from collections.abc import Sequence
from pathlib import Path

from law_rl.commands.codec_models import Shelf
from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.shipped import model_path
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.shipped import shipped_video_models, video_model_of_hash, video_model_path
from law_rl.compression.video.video_codec import VideoCodec, load_video_codec
from law_rl.devices import find_device

VIDEO_MODELS = Shelf(shipped=shipped_video_models, kind=VideoModel.KIND, trained_by="train-video")


def chosen_video_codec(quality: int | None, model: Path | None, intra: Path | None, device: str) -> VideoCodec:
    """The codec of a quality that ships, by default the middle one, or of a model's file.

    `intra` is the file of its intra model, where that does not ship. Raises ValueError for a quality and a file at
    once and for another intra model, FileNotFoundError where there is none.
    """
    return load_video_codec(VIDEO_MODELS.chosen(quality, model), intra=intra, device=find_device(device))


def decoding_video_codec(name: bytes, model: Path | None, intra: Path | None) -> VideoCodec:
    """The codec for a video whose header names the model `name`: that of `model`, or else of the model that ships and
    has this hash. Raises FileNotFoundError where no model is known.
    """
    return load_video_codec(video_model_of_hash(name) if model is None else model, intra=intra)


def compared_video_codecs(models: Sequence[Path], intra: Sequence[Path], device: str) -> list[tuple[str, VideoCodec]]:
    """The codecs of these files, by default of all models that ship, each with what it is called.

    `intra` are files of intra models, where those of the models do not ship. Raises FileNotFoundError where one is
    missing.
    """
    place, beside = find_device(device), {CodecModel.read_head(model_path(path))["hash"]: path for path in intra}

    def codec(model: int | Path) -> VideoCodec:
        needed = VideoModel.read_head(video_model_path(model))["intra"]
        return load_video_codec(model, intra=beside.get(needed), device=place)

    return [(name, codec(model)) for name, model in VIDEO_MODELS.compared(models)]
