"""Which model a verb of the codec works with."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.codec import Codec, load_codec, read_header
from law_rl.compression.shipped import model_of_hash, shipped_models
from law_rl.devices import find_device


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The models of a kind that ship, by quality; `trained_by` is the verb that makes others."""

    shipped: Callable[[], Mapping[int, Path]]
    kind: str
    trained_by: str

    def chosen(self, quality: int | None, model: Path | None) -> int | Path:
        """The quality, by default the middle one, or the model's file.

        Raises ValueError for both at once, FileNotFoundError where none ships.
        """
        if quality is not None and model is not None:
            raise ValueError("--quality names a model that ships and --model a file: give one of them")
        if model is not None:
            return model
        if quality is not None:
            return quality
        qualities = self._qualities()
        return qualities[(len(qualities) - 1) // 2]

    def compared(self, models: Sequence[Path]) -> list[tuple[str, int | Path]]:
        """These files, by default all qualities that ship, each with what it is called."""
        if models:
            return [(path.stem, path) for path in models]
        return [(f"quality {quality}", quality) for quality in self._qualities()]

    def _qualities(self) -> list[int]:
        qualities = list(self.shipped())
        if not qualities:
            raise FileNotFoundError(
                f"no {self.kind} ships with this law-rl: train one with `law-rl codec {self.trained_by}`, and name it"
            )
        return qualities


PICTURE_MODELS = Shelf(shipped=shipped_models, kind=CodecModel.KIND, trained_by="train")


def chosen_codec(quality: int | None, model: Path | None, device: str) -> Codec:
    """The codec of a quality that ships, by default the middle one, or of a model's file.

    Raises ValueError for both at once, FileNotFoundError where there is none.
    """
    return load_codec(PICTURE_MODELS.chosen(quality, model), device=find_device(device))


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
    return [(name, load_codec(model, device=place)) for name, model in PICTURE_MODELS.compared(models)]
