"""CompressAI's side of `benchmarks.codec_rivals`, run by a Python that has CompressAI: times codings on request.

Its one argument is an .npz file: `picture` uint8 [H, W, 3], `scales` float32 [M] and `sizes` (N, M, threads). Prints a
line of JSON when it is ready, and for each line NAME WAY that it reads the seconds of that coding.

The weights are random. So that symbols and their probabilities are not all alike, the last layers are set: latent
channels have mean 0 and the given standard deviations on the picture, and these are the scales they are coded under.
"""

import json
import sys
import time
from typing import Any

import compressai
import numpy as np
import torch
from compressai.models import JointAutoregressiveHierarchicalPriors, ScaleHyperprior

given = np.load(sys.argv[1])
picture, (width, latents, threads) = given["picture"], given["sizes"].tolist()
SCALES = torch.from_numpy(given["scales"])


def image() -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255


def fitted(model: Any, scale_layer: torch.nn.Conv2d) -> Any:
    """The model, ready to code latents whose channels have the given scales."""
    last = model.g_a[-1]
    last.bias.zero_()
    y = model.g_a(image())
    factors = SCALES / y.std((0, 2, 3)).clamp_min(1e-9)
    last.weight.mul_(factors[:, None, None, None])
    last.bias.copy_(-factors * y.mean((0, 2, 3)))
    scale_layer.weight.mul_(1e-3)
    scale_layer.bias.zero_()
    scale_layer.bias[: len(SCALES)] = SCALES
    model.update()
    return model.eval()


def encode(model: Any) -> dict[str, Any]:
    return dict(model.compress(image()))


def decode(model: Any, file: dict[str, Any]) -> np.ndarray:
    pixels = model.decompress(file["strings"], file["shape"])["x_hat"][0]
    return pixels.permute(1, 2, 0).mul(255).round().to(torch.uint8).contiguous().numpy()


def main() -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    hyperprior = ScaleHyperprior(width, latents)
    serial = JointAutoregressiveHierarchicalPriors(width, latents)
    models = {
        "bmshj2018-hyperprior": fitted(hyperprior, hyperprior.h_s[-2]),
        "mbt2018": fitted(serial, serial.entropy_parameters[-1]),
    }
    files = {name: encode(model) for name, model in models.items()}
    sizes = {name: sum(len(part[0]) for part in file["strings"]) for name, file in files.items()}
    print(json.dumps({"version": compressai.__version__, "bytes": sizes}), flush=True)
    for line in sys.stdin:
        name, way = line.split()
        start = time.perf_counter()
        if way == "encode":
            encode(models[name])
        else:
            decode(models[name], files[name])
        print(json.dumps(time.perf_counter() - start), flush=True)


with torch.inference_mode():
    main()
