"""The verbs of the image codec with their flags, and all verbs of codecs. Importing this is cheap; it does no work."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from law_rl.commands.codec_video_arguments import (
    CodecCompareVideoCommand,
    CodecDecodeVideoCommand,
    CodecEncodeVideoCommand,
    CodecEvaluateVideoCommand,
    CodecTrainVideoCommand,
)


@dataclass(frozen=True, kw_only=True)
class CodecEncodeCommand:
    """Compress pictures into .edic files: photo.png into photo.edic beside it, or into the name or folder you give.

    Takes 8-bit RGB and grey pictures in PNG, JPEG, WebP, BMP, PPM and TIFF, turned upright as their EXIF says. Palettes
    become RGB; alpha and 16 bits a channel are refused. A picture that cannot be read is named, the others are
    finished, and the command ends with status 2.
    """

    pictures: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PICTURES [FILE.edic]")]
    """Files, folders with all that is in them, or patterns in quotes ('photos/**/*.png'); after a single picture, also
    the file to write."""
    quality: int | None = None
    """A model that ships with law-rl, from 1, the smallest files; default the middle one."""
    model: Path | None = None
    """A model of your own instead, which `law-rl codec train` wrote."""
    out: Path | None = None
    """The folder to write into; folders keep their order inside it."""
    keep_metadata: bool = False
    """Keep EXIF and colour profile, which are dropped else; they cost their bytes, and EXIF may say where and when a
    picture was taken."""
    overwrite: bool = False
    """Write over files that exist, instead of refusing."""
    skip_existing: bool = False
    """Leave out what exists already, so that a batch that was stopped goes on."""
    workers: int = 2
    """Pictures that are worked on side by side; the cores are shared among them."""
    device: str = "cpu"
    """Where the picture's network runs: cpu, or cuda. The file can be decoded on any."""


@dataclass(frozen=True, kw_only=True)
class CodecDecodeCommand:
    """Bring .edic files back as pictures: photo.edic into photo.png beside it, or into the name or folder you give.

    EXIF and colour profile that a file keeps come back in .png and .webp, in .tiff the profile alone. A damaged file is
    named and gives no picture; the others are finished, and the command ends with status 2.
    """

    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILES [PICTURE]")]
    """Files, folders with all that is in them, or patterns in quotes; after a single file, also the picture to write:
    .png, .webp (lossless), .tiff, .bmp or .ppm."""
    model: Path | None = None
    """The model that wrote the files, where it is one of your own; those that ship are found by the file itself."""
    out: Path | None = None
    """The folder to write into; folders keep their order inside it."""
    overwrite: bool = False
    """Write over files that exist, instead of refusing."""
    skip_existing: bool = False
    """Leave out what exists already, so that a batch that was stopped goes on."""
    workers: int = 2
    """Files that are worked on side by side; the cores are shared among them."""
    device: str = "cpu"
    """Where the picture's network runs: cpu, or cuda. Pixels may differ by a rounding between devices."""
    max_pixels: int = 64_000_000
    """Refuse files that say they hold more pixels, before any memory is taken for them."""


@dataclass(frozen=True, kw_only=True)
class CodecInfoCommand:
    """Say what an .edic or .edicv file holds, and whether it is whole: checks, size, bits per pixel, model and parts.

    A video's frames are checked without decoding them; damaged ones are named.
    """

    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """The file."""
    model: Path | None = None
    """The model that wrote it, where it is one of your own."""
    json: bool = False
    """Print JSON instead of lines."""


@dataclass(frozen=True, kw_only=True)
class CodecEvaluateCommand:
    """Measure the codec on pictures: bits per pixel of whole files, PSNR, MS-SSIM, and times, for each and on average.

    Pictures are coded one at a time, so that the times are those of one picture alone. One that cannot be read is
    named and left out, and the command ends with status 2.
    """

    pictures: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PICTURES")]
    """Folders with all that is in them, files, or patterns in quotes."""
    quality: int | None = None
    """A model that ships with law-rl, from 1, the smallest files; default the middle one."""
    model: Path | None = None
    """A model of your own instead."""
    device: str = "cpu"
    """Where the picture's network runs: cpu, or cuda."""
    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class CodecCompareCommand:
    """Hold the codec against JPEG, WebP and AVIF on your pictures: rate-distortion curves and BD-rates.

    On Kodak's 24 pictures, which are known by their pixels, published points of BPG, VTM and learned codecs stand
    beside. A picture that cannot be read is named and left out, and the command ends with status 2.
    """

    pictures: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PICTURES")]
    """Folders with all that is in them, files, or patterns in quotes."""
    models: tuple[Path, ...] = ()
    """Models of your own, a point of the curve each, instead of all that ship."""
    report: Path | None = None
    """Also write this HTML file, with both plots and every point."""
    workers: int = 2
    """Pictures that are worked on side by side."""
    device: str = "cpu"
    """Where the picture's network runs: cpu, or cuda."""
    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class CodecTrainCommand:
    """Train a codec on your photographs: a model for `encode --model`, with a card (.md, .json) beside it.

    Without a folder it learns from scikit-learn's two sample photographs, which is enough to try it out. A training
    that was stopped goes on with the same command, from a checkpoint beside the model.
    """

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FOLDERS")] = ()
    """Folders of photographs, with all that is in them; every 20th is held out to measure on."""
    out: Path
    """The model's file to write, such as mine.safetensors; one that exists is refused."""
    lambda_: Annotated[float, tyro.conf.arg(name="lambda")] = 1024.0
    """How much a squared error weighs against bits: EDIC's values are 256 (small files) to 8192."""
    quality: int = 1
    """The model's place among yours, from 1, which its files say."""
    size: Literal["small", "paper-low", "paper-high"] = "small"
    """Channels of the network: 64 with 96 latents, or EDIC's 128 with 192 and 192 with 320."""
    components: int = 2
    """Gaussians of each latent's distribution."""
    attention: Literal["none", "z", "y", "both"] = "z"
    """Which latents channel attention is on."""
    enhancement: int = 0
    """Channels of the decoder's enhancement module; 0 for none."""
    distortion: Literal["mse", "ms_ssim"] = "mse"
    """What is weighed against bits: the squared error, or 1 - MS-SSIM (then try lambda 8 to 64)."""
    steps: int | None = None
    """Steps of training; 30,000 where neither they nor minutes are given."""
    minutes: float | None = None
    """End the training after so many minutes, stops not counted; the learning rate falls to fit."""
    batch: int = 8
    """Crops in one step."""
    crop: int = 256
    """Side of the crops in pixels; smaller ones train faster and cost bits on whole pictures."""
    learning_rate: float = 5e-4
    """The highest learning rate of Adam; give less to larger networks."""
    bfloat16: bool = False
    """Run convolutions in bfloat16: faster on GPUs, and on CPUs with bfloat16 instructions."""
    device: str = "cpu"
    """Where to train: cpu, or cuda."""
    seed: int = 0
    """Draws the start, the crops and the noise."""
    json: bool = False
    """Print the model's card as JSON instead of lines."""


CodecCommand = (
    Annotated[CodecEncodeCommand, tyro.conf.subcommand("encode")]
    | Annotated[CodecDecodeCommand, tyro.conf.subcommand("decode")]
    | Annotated[CodecInfoCommand, tyro.conf.subcommand("info")]
    | Annotated[CodecEvaluateCommand, tyro.conf.subcommand("evaluate")]
    | Annotated[CodecCompareCommand, tyro.conf.subcommand("compare")]
    | Annotated[CodecTrainCommand, tyro.conf.subcommand("train")]
    | Annotated[CodecEncodeVideoCommand, tyro.conf.subcommand("encode-video")]
    | Annotated[CodecDecodeVideoCommand, tyro.conf.subcommand("decode-video")]
    | Annotated[CodecEvaluateVideoCommand, tyro.conf.subcommand("evaluate-video")]
    | Annotated[CodecCompareVideoCommand, tyro.conf.subcommand("compare-video")]
    | Annotated[CodecTrainVideoCommand, tyro.conf.subcommand("train-video")]
)
