"""The verbs of face recognition with their flags. Importing this is cheap; nothing here does the work."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True, kw_only=True)
class FaceTrainCommand:
    """Train the network of a face experiment by labels alone, without its teacher, and put it out for use.

    It is the network of task.training, with its margin; any field can be changed: --task.training.epochs 40. The run
    directory gets network.safetensors, network.onnx (with pip install 'law-rl[onnx]'), README.md (the model card),
    metrics.json, stages.csv and config.json. The network's files hold neither names nor centres of the persons it was
    trained on, and are yours alone to read.
    """

    experiment: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT")]
    """The experiment, whose task is a FaceTask: experiments/NAME.py, or just NAME."""
    seed: int = 1000
    """Draws the initialisation and batches; evaluations use the seeds from 1000 on."""
    out: Path | None = None
    """The run directory; default runs/NAME-face-train in the project, numbered where that is taken."""
    resume: bool = False
    """Go on with a training that was stopped, from its last stage: the one in --out, or the newest of this
    experiment."""
    json: bool = False
    """Print metrics.json at the end instead of a few lines."""


@dataclass(frozen=True, kw_only=True)
class FaceDistillCommand:
    """Train the network of a face experiment with its teacher, as in law-rl distill, and put it out for use.

    The teacher is trained first where it is missing. Fields can be changed, and the run directory gets the files, as
    in law-rl face train.
    """

    experiment: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT")]
    """The experiment, whose task is a FaceTask: experiments/NAME.py, or just NAME."""
    by: str = ""
    """What directs the training: a baseline of the experiment by its name, or the path of a schedule.safetensors that a
    search wrote; default the first baseline, which directs as the twin does."""
    losses: Annotated[tuple[str, ...], tyro.conf.arg(metavar="TERM=WEIGHT ...")] = ()
    """Instead of --by: the weights of the terms of the loss in all stages, as ce=1 fcd=1 rad=1; terms not named weigh
    nothing. Terms: ce (margin softmax over the labels), fcd and rad (CoupleFace's features and relations), ekd (a
    ranking of pairs), and kd, hint, cc, rkd, sp."""
    anchor: float | None = None
    """Instead of --by: the place on the teacher's route that supervises all stages, from 0, its first anchor, to 1, the
    converged teacher; default 1."""
    seed: int = 1000
    """Draws the student's initialisation and batches; evaluations use the seeds from 1000 on."""
    out: Path | None = None
    """The run directory; default runs/NAME-face-distill in the project, numbered where that is taken."""
    resume: bool = False
    """Go on with a training that was stopped, from its last stage: the one in --out, or the newest of this
    experiment."""
    json: bool = False
    """Print metrics.json at the end instead of a few lines."""


@dataclass(frozen=True, kw_only=True)
class FaceEmbedCommand:
    """Embed many images into one file, which evaluate and identify read.

    Images are decoded a batch at a time, so any number fits. Embeddings of faces are personal data: the file is yours
    alone to read (mode 0600); delete it when it is no longer needed.
    """

    network: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="NETWORK")]
    """A network.safetensors that train or distill wrote."""
    images: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGES")]
    """A folder with a folder of images for each identity, a folder of images alone, or an MXNet .rec file. Faces are
    taken as aligned, and resized to what the network takes."""
    out: Path
    """The file to write, GALLERY.safetensors; names and identities go into it where the images have them."""
    landmarks: Path | None = None
    """Align the faces first: a CSV with the columns file,x1,y1,...,x5,y5, of left eye, right eye, nose, left and right
    corner of the mouth as seen; files are named as inside IMAGES (ann/1.jpg)."""
    flip: bool = False
    """Add the embedding of each mirror image, as insightface does: twice the work, a little better. Embed all that you
    compare alike."""
    half: bool = False
    """Write float16 instead of float32: half the size, and cosines to three digits."""
    skip_broken: bool = False
    """Leave out images that cannot be read, and say which, instead of stopping at the first."""
    batch: int = 256
    """Images that the network sees at a time."""
    device: str = "cpu"
    """cpu, or cuda."""


@dataclass(frozen=True, kw_only=True)
class FaceEvaluateCommand:
    """Say how well faces are told apart: TAR at false accept rates, EER, rank-1, with 95 % intervals over persons.

    Give files of embeddings with identities, of which every pair of images is compared; files of the same images are
    also compared with the first, person by person. Or give --network and images: --data, --lfw, --bin or --templates.
    """

    embeddings: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="EMBEDDINGS")] = ()
    """Files that embed wrote."""
    network: Path | None = None
    """A network.safetensors to measure, in place of files of embeddings."""
    data: Path | None = None
    """With --network: a folder with a folder for each identity, or a .rec file; every pair is compared. With
    --templates: the folder of the images that the list names."""
    lfw: Path | None = None
    """With --network: the folder of Labeled Faces in the Wild, aligned; --pairs names its list."""
    pairs: Path | None = None
    """LFW's pairs.txt. Accuracy over the folds, by insightface's rule (mirrored images) and by FaceX-Zoo's."""
    bin: tuple[Path, ...] = ()
    """With --network: pickled verification sets such as lfw.bin and cfp_fp.bin, read without running any pickle; as
    for --lfw."""
    templates: Path | None = None
    """With --network and --data: a list of IMAGE TEMPLATE MEDIUM, as of IJB-C."""
    template_pairs: Path | None = None
    """With --templates: a list of TEMPLATE TEMPLATE LABEL."""
    masked: bool = False
    """With --network and --data: also draw a mask on every face, and compare masked with plain and with masked."""
    far: tuple[float, ...] = ()
    """More false accept rates at which the true accept rate is measured, beside 0.001 and 0.01."""
    report: Path | None = None
    """Also write this HTML file, with curves and distributions of scores."""
    device: str = "cpu"
    """cpu, or cuda."""
    json: bool = False
    """Print JSON instead of tables."""


@dataclass(frozen=True, kw_only=True)
class FaceIdentifyCommand:
    """Find each probe's nearest faces in a gallery of any size, exactly: the largest cosines.

    Both are files that embed wrote with one network. The gallery is read part by part.
    """

    probes: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PROBES")]
    """The embeddings to be identified."""
    gallery: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="GALLERY")]
    """The embeddings of those who are known."""
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 1
    """How many of the gallery's entries to name for each probe."""
    threshold: float | None = None
    """Name none whose similarity is below this; evaluate tells which error rates a threshold has."""
    out: Path | None = None
    """Write a CSV instead, yours alone to read (mode 0600)."""
    device: str = "cpu"
    """cpu, or cuda."""
    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class FaceAlignCommand:
    """Better decisions without retraining: align each cosine by how crowded the neighbourhoods of both faces are.

    Fits on the faces of others (--reference), aligns every pair of EMBEDDINGS or those of --pairs, and says how much
    better it tells faces apart: TAR at false accept rates and EER before and after, with 95 % intervals over persons.
    Works on any embeddings that the files hold. docs/faces.md says what the methods are.
    """

    embeddings: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="EMBEDDINGS")]
    """The file of the faces that are compared, which embed wrote."""
    reference: Path | None = None
    """The file of the reference faces, by the same network: of other persons, which is checked where both files say
    whose their faces are."""
    method: Literal[
        "shift",
        "one_sided",
        "z_score",
        "margin",
        "log_ratio",
        "z_norm",
        "t_norm",
        "s_norm",
        "as_norm",
        "csls",
    ] = "shift"
    """How a cosine is aligned: an operator of IDA (our reading), or a peer (Z-, T-, S-, AS-norm, CSLS). one_sided,
    z_norm and t_norm tell the first image of a pair, the probe, from the second."""
    estimator: Literal["gallery", "learned"] = "gallery"
    """gallery: look the neighbours up among the reference faces; learned: guess them from the face alone, by a small
    network that is trained on the reference faces and their identities."""
    rule: Literal["top_k", "quantile", "near", "all"] | None = None
    """Which reference faces are a face's neighbours: the --count nearest, those in the upper --quantile of its cosines,
    those within --delta of the nearest, or all; default as is usual for the method, top_k for IDA's."""
    count: int | None = None
    """Neighbours by top_k; default 20, of shift 5, of as_norm 300, of csls 10."""
    quantile: float | None = None
    """Of a face's cosines, from 0 to 1, from which on others are neighbours by quantile; default 0.99."""
    delta: float | None = None
    """How much less alike than the nearest a neighbour by near may be; default 0.1."""
    least: int | None = None
    """At least so many neighbours by quantile and near; default 5."""
    most: int | None = None
    """At most so many neighbours by quantile and near; default 200."""
    gamma: float | None = None
    """The sharpness of log_ratio's softmax; default 16."""
    beta: float = 0.5
    """How far shift and one_sided go, from 0, the plain cosine."""
    seed: int = 0
    """Draws the training of the learned estimator."""
    pairs: Path | None = None
    """Align these pairs only: a CSV with the columns first,second, names of images as in EMBEDDINGS, and perhaps same,
    1 for one person and 0 for two, which is needed for the table where EMBEDDINGS has no identities."""
    out: Path | None = None
    """Write every pair with its cosine and aligned score to this CSV, yours alone to read (mode 0600)."""
    save: Path | None = None
    """Keep the fitted aligner in this file, ALIGNER.safetensors (mode 0600): a gallery's embeddings are in it."""
    aligner: Path | None = None
    """Take this aligner, which --save wrote, instead of --reference and the flags of the method."""
    report: Path | None = None
    """Also write this HTML file: error curves before and after, and the scores of faces in sparse, middle and crowded
    neighbourhoods."""
    json: bool = False
    """Print JSON instead of tables."""


FaceCommand = (
    Annotated[FaceTrainCommand, tyro.conf.subcommand("train")]
    | Annotated[FaceDistillCommand, tyro.conf.subcommand("distill")]
    | Annotated[FaceEmbedCommand, tyro.conf.subcommand("embed")]
    | Annotated[FaceEvaluateCommand, tyro.conf.subcommand("evaluate")]
    | Annotated[FaceIdentifyCommand, tyro.conf.subcommand("identify")]
    | Annotated[FaceAlignCommand, tyro.conf.subcommand("align")]
)
