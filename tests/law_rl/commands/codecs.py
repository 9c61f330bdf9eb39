"""Tiny untrained codecs, and pictures for them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.network.codec_network import CodecConfig, build_codec
from law_rl.compression.pictures import write_picture

CONFIG = CodecConfig(width=8, latents=8)


def write_model(path: Path, seed: int = 0, quality: int = 3) -> Path:
    network = build_codec(CONFIG, seed, "cpu")
    CodecModel.export(network, lambda_=1024.0, quality=quality).save(path)
    return path


def write_pictures(folder: Path, *names: str, height: int = 40, width: int = 70) -> Path:
    """Smooth pictures of 40 x 70 pixels, each another; those called grey*.png have one channel."""
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    for place, name in enumerate(names):
        pixels: NDArray[np.float64] = np.stack([rows, columns, (rows + columns) / 2 + 0.1 * place], 2)
        picture = (255 * np.clip(pixels, 0, 1)).astype(np.uint8)
        write_picture(folder / name, picture[..., 0].copy() if Path(name).stem.startswith("grey") else picture)
    return folder
