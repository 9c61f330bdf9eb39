"""Codecs whose times are measured: untrained, as weights change times little, on a photograph that is at hand."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.network.codec_network import CodecConfig, build_codec
from law_rl.compression.photograph_files import sample_photographs

START_LAMBDA = 256.0
"""That for which an untrained network's latents are about as coarse as trained ones: a bit or so per pixel."""


def photograph(height: int, width: int) -> NDArray[np.uint8]:
    """The first of scikit-learn's sample photographs, scaled to uint8 [height, width, 3]."""
    image = Image.fromarray(sample_photographs().train[0])
    return np.array(image.resize((width, height), Image.Resampling.LANCZOS))


def untrained_model(config: CodecConfig) -> CodecModel:
    network = build_codec(config, 0, lambda_=START_LAMBDA)
    return CodecModel.export(network, lambda_=START_LAMBDA, quality=1)
