"""Which model a verb of the codec works with."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from law_rl.compression.codec import Codec, load_codec, read_header
from law_rl.compression.shipped import model_of_hash, shipped_models
from law_rl.devices import find_device


def chosen_codec(quality: int | None, model: Path | None, device: str) -> Codec:
    """The codec of a quality that ships, by default the middle one, or of a model's file.

    Raises ValueError for both at once, FileNotFoundError where there is none.
    """
    if quality is not None and model is not None:
        raise ValueError("--quality names a model that ships and --model a file: give one of them")
    place = find_device(device)
    if model is not None:
        return load_codec(model, device=place)
    return load_codec(_middle_quality() if quality is None else quality, device=place)


def decoding_codec(model: Path | None, device: str, max_pixels: int) -> Callable[[bytes], Codec]:
    """Gives the codec for a file's bytes: that of `model`, or else of the model that ships and wrote it.

    Each model is loaded once; threads may call. Raises DamagedImage for what has no whole header, and FileNotFoundError
    where no model is known.
    """
    place = find_device(device)
    if model is not None:
        codec = load_codec(model, device=place)
        return lambda content: codec
    loaded: dict[bytes, Codec] = {}
    lock = threading.Lock()

    def of(content: bytes) -> Codec:
        name = read_header(content, max_pixels=max_pixels).model
        with lock:
            if name not in loaded:
                loaded[name] = load_codec(model_of_hash(name), device=place)
            return loaded[name]

    return of


def compared_codecs(models: Sequence[Path], device: str) -> list[tuple[str, Codec]]:
    """The codecs of these files, by default of all models that ship, each with what it is called."""
    place = find_device(device)
    if models:
        return [(path.stem, load_codec(path, device=place)) for path in models]
    return [(f"quality {quality}", load_codec(quality, device=place)) for quality in _qualities()]


def _middle_quality() -> int:
    qualities = _qualities()
    return qualities[(len(qualities) - 1) // 2]


def _qualities() -> list[int]:
    qualities = list(shipped_models())
    if not qualities:
        raise FileNotFoundError(
            "no codec model ships with this law-rl: train one with `law-rl codec train`, and name it"
        )
    return qualities
