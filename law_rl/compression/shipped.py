"""The models that ship with law-rl: one for each quality, 1 the smallest files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.bitstream.network_file import NetworkFile

FOLDER = Path(__file__).parent / "models"

Kind = type[NetworkFile[Any, Any]]


def shipped_models(folder: Path = FOLDER, kind: Kind = CodecModel) -> Mapping[int, Path]:
    """The models' files by quality, in its order. ValueError where two have one quality."""
    found: dict[int, Path] = {}
    for path in sorted(folder.glob("*.safetensors")):
        quality = int(kind.read_head(path)["quality"])
        if quality in found:
            raise ValueError(f"{path} and {found[quality]} both have quality {quality}: keep one of them")
        found[quality] = path
    return dict(sorted(found.items()))


def model_path(model: str | Path | int, folder: Path = FOLDER, kind: Kind = CodecModel) -> Path:
    """The file of a model that ships, by quality or name without ending, else the path of a file.

    Raises FileNotFoundError where there is none.
    """
    if isinstance(model, int) or (isinstance(model, str) and model.isdecimal()):
        models = shipped_models(folder, kind)
        if int(model) not in models:
            qualities = ", ".join(map(str, models)) or "none yet"
            raise FileNotFoundError(f"no model of quality {model} ships: use one of {qualities}, or a model's path")
        return models[int(model)]
    shipped = folder / f"{model}.safetensors"
    path = shipped if shipped.is_file() else Path(model)
    if not path.is_file():
        names = ", ".join(path.stem for path in shipped_models(folder, kind).values()) or "none yet"
        raise FileNotFoundError(f"there is no {kind.KIND} {model}: give a path or one that ships ({names})")
    return path


def model_of_hash(model: bytes, folder: Path = FOLDER, kind: Kind = CodecModel) -> Path:
    """The file of the model that ships and has this hash, as a header names it; FileNotFoundError where none has."""
    for path in shipped_models(folder, kind).values():
        if kind.read_head(path)["hash"] == model.hex():
            return path
    raise FileNotFoundError(f"no {kind.KIND} that ships has the hash {model.hex()}: give the path of that model")
