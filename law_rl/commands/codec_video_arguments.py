"""The verbs of the video codec with their flags. Importing this is cheap; nothing here does the work."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True, kw_only=True)
class CodecEncodeVideoCommand:
    """Compress a clip into an .edicv file: clip.mp4 into clip.edicv beside it, or into the name you give.

    Takes a folder of pictures in the order of their names, raw video (.y4m), and with `pip install 'law-rl[video]'` any
    other video of 8 bits. The file is written whole or not at all; an encoding that was stopped begins anew.
    """

    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="CLIP [FILE.edicv]")]
    """The clip, and the file to write."""
    quality: int | None = None
    """A model that ships with law-rl, from 1, the smallest files; default the middle one."""
    model: Path | None = None
    """A model of your own instead, which `law-rl codec train-video` wrote."""
    intra: Path | None = None
    """The image model that codes first frames, where that of your model does not ship with law-rl."""
    gop: int = 10
    """Frames from one intra frame to the next: few cost bits; many make what damage destroys, and what must be decoded
    to reach a frame, longer."""
    frames: str = ""
    """Only these, as FIRST:LAST counted from 0, the last left out; either may be missing."""
    overwrite: bool = False
    """Write over a file that exists, instead of refusing."""
    device: str = "cpu"
    """Where the encoder's networks run: cpu, or cuda. The file can be decoded anywhere, to the same pixels."""


@dataclass(frozen=True, kw_only=True)
class CodecDecodeVideoCommand:
    """Bring an .edicv file back as a clip: a folder of PNG beside it, or .y4m or .mkv by the name you give.

    Every frame is, to the bit, the one that the encoder had. Damaged frames are named with the rest of their GOP: a
    folder leaves them out, other clips repeat the frame before; all others are written, and the command ends with
    status 2.
    """

    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILE.edicv [CLIP]")]
    """The file, and the clip to write: a folder (no ending) of pictures with their frames' numbers, .y4m (4:4:4,
    roundings of up to 2 levels), or .mkv (lossless)."""
    model: Path | None = None
    """The model that wrote the file, where it is one of your own; those that ship are found by the file itself."""
    intra: Path | None = None
    """The image model that codes first frames, where that of your model does not ship with law-rl."""
    frames: str = ""
    """Only these, as FIRST:LAST counted from 0, the last left out; no more GOPs than they lie in are decoded."""
    overwrite: bool = False
    """Write over a clip that exists, instead of refusing."""
    max_pixels: int = 64_000_000
    """Refuse files that say their frames hold more pixels, before any memory is taken for them."""


@dataclass(frozen=True, kw_only=True)
class CodecEvaluateVideoCommand:
    """Measure the codec on clips: bits per pixel of whole files, PSNR, MS-SSIM, and frames a second, for each and on
    average.

    Clips are coded one at a time. One that cannot be read is named and left out, and the command ends with status 2.
    """

    clips: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="CLIPS")]
    """Folders of pictures, .y4m and other videos; a folder of such counts as all that is in it."""
    quality: int | None = None
    """A model that ships with law-rl, from 1, the smallest files; default the middle one."""
    model: Path | None = None
    """A model of your own instead."""
    intra: Path | None = None
    """The image model that codes first frames, where that of your model does not ship with law-rl."""
    gop: int = 10
    """Frames from one intra frame to the next."""
    frames: str = ""
    """Only these of each clip, as FIRST:LAST counted from 0, the last left out."""
    device: str = "cpu"
    """Where the encoder's networks run: cpu, or cuda."""
    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class CodecCompareVideoCommand:
    """Hold the video codec against x264 and x265 on your clips: rate-distortion curves and BD-rates.

    Needs `pip install 'law-rl[video]'`. Presets, GOP and versions are stated; all codecs have the same GOP. (Pictures
    are compared by `codec compare`.) A clip that cannot be read is named and left out, and the command ends with
    status 2.
    """

    clips: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="CLIPS")]
    """Folders of pictures, .y4m and other videos; a folder of such counts as all that is in it."""
    models: tuple[Path, ...] = ()
    """Models of your own, a point of the curve each, instead of all that ship."""
    intra: tuple[Path, ...] = ()
    """The image models that code first frames, in any order, where those of your models do not ship with law-rl."""
    gop: int = 10
    """Frames from one intra frame to the next."""
    frames: str = ""
    """Only these of each clip, as FIRST:LAST counted from 0, the last left out."""
    report: Path | None = None
    """Also write this HTML file, with both plots and every point."""
    device: str = "cpu"
    """Where the encoder's networks run: cpu, or cuda."""
    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class CodecTrainVideoCommand:
    """Train a video codec on synthetic motion over your photographs: a model for `encode-video --model`, with a card
    (.md, .json) beside it.

    Without a folder it moves scikit-learn's two sample photographs, which is enough to try it out. A training that was
    stopped goes on with the same command, from a checkpoint beside the model.
    """

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FOLDERS")] = ()
    """Folders of photographs, with all that is in them; every 20th is held out to measure on."""
    out: Path
    """The model's file to write, such as mine.safetensors; one that exists is refused."""
    intra: str = "3"
    """The image codec of first frames: a quality that ships, or a model's file."""
    lambda_: Annotated[float, tyro.conf.arg(name="lambda")] = 512.0
    """How much a squared error weighs against bits in predicted frames: DVC's values are 256 to 2048, a fourth of those
    of its first frames."""
    quality: int = 1
    """The model's place among yours, from 1, which its files say."""
    parts: Literal["dvc", "edic"] = "edic"
    """DVC alone, or with EDIC's Gaussian mixture, channel attention and enhancement."""
    size: Literal["small", "paper"] = "small"
    """Channels of the networks: small, or DVC's."""
    start: Path | None = None
    """Go on from this model, of the same parts and size, without the stages that train the motion alone."""
    reference: Literal["decoded", "original"] = "decoded"
    """What frames are predicted from while training: decoded frames, as when coding, or the originals."""
    clips: int = 300
    """Synthetic clips to make."""
    clip_frames: int = 6
    """Frames of each."""
    crop: int = 128
    """Side of the clips in pixels."""
    steps: int | None = None
    """Steps of training; 20,000 where neither they nor minutes are given."""
    minutes: float | None = None
    """End the training after so many minutes, stops not counted; the learning rate falls to fit."""
    batch: int = 4
    """Frames in one step."""
    learning_rate: float = 5e-4
    """The highest learning rate of Adam."""
    bfloat16: bool = False
    """Run convolutions in bfloat16: faster on GPUs, and on CPUs with bfloat16 instructions."""
    device: str = "cpu"
    """Where to train: cpu, or cuda."""
    seed: int = 0
    """Draws the start, the clips, the batches and the noise."""
    json: bool = False
    """Print the model's card as JSON instead of lines."""
