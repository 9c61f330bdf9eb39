"""The video models that ship with law-rl: one for each quality, 1 the smallest files."""

from collections.abc import Mapping
from pathlib import Path

from law_rl.compression.shipped import model_of_hash, model_path, shipped_models
from law_rl.compression.video.model_file import VideoModel

FOLDER = Path(__file__).parent / "models"


def shipped_video_models(folder: Path = FOLDER) -> Mapping[int, Path]:
    """The models' files by quality, in its order. ValueError where two have one quality."""
    return shipped_models(folder, VideoModel)


def video_model_path(model: str | Path | int, folder: Path = FOLDER) -> Path:
    """The file of a model that ships, by quality or name without ending, else the path of a file.

    Raises FileNotFoundError where there is none.
    """
    return model_path(model, folder, VideoModel)


def video_model_of_hash(model: bytes, folder: Path = FOLDER) -> Path:
    """The file of the model that ships and has this hash, as a header names it; FileNotFoundError where none has."""
    return model_of_hash(model, folder, VideoModel)
