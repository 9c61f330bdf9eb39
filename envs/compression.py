"""Image compression: a small codec learns on patches of photographs, beside a heavier one trained on the same.

Training, validation and test are of different photographs, or different parts of them; the metric is `rd_db`, which
falls by 10 for a tenfold rate-distortion cost at the target lambda. The two photographs of scikit-learn need no file;
"bsds" are 200.
"""

from dataclasses import asdict, replace

from law_rl.actions import Heads, LossWeights, SampleWeights, TeacherAnchor
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.compression.learner import CodecLearnerConfig
from law_rl.compression.network.codec_network import CodecConfig
from law_rl.compression.patches import PatchConfig
from law_rl.compression.photograph_parts import Source
from law_rl.compression.student import CodecLossTerms, CodecStudentConfig
from law_rl.compression.task import CodecTask
from law_rl.compression.teacher import CodecTeacherConfig
from law_rl.features import OF_IMAGES
from law_rl.stage_env import StageEnv, StageEnvConfig

FEATURES = tuple(OF_IMAGES)
"""A patch's bits per pixel, its mean squared error, and how busy it is."""
LOSSES = CodecLossTerms()
MOST = {"distortion": 4.0, "teacher_output": 1.0, "teacher_features": 0.02}
"""The largest weights that the policy may give to the terms of the loss; at 4 a stage trains for four times lambda."""
GAIN = 1.0


def trade_off(*terms: str) -> LossWeights:
    """The head that weights these terms of the loss."""
    usual = asdict(LOSSES)
    return LossWeights(
        terms=terms, usual=tuple(usual[term] for term in terms), most=tuple(MOST[term] for term in terms)
    )


ACTION = Heads(
    sample_weights=SampleWeights(features=FEATURES, gain=GAIN),
    teacher_anchor=TeacherAnchor(),
    loss_weights=trade_off(*MOST),
)
WARMUP = 0

CODEC = CodecStudentConfig(
    network=CodecConfig(width=16, latents=24),
    lambda_=32.0,
    optimiser=OptimiserConfig(name="adam", lr=1e-3, weight_decay=0.0, schedule="cosine"),
    batch_size=8,
    epochs=1,
    stages=4,
    features=FEATURES,
    precision="bf16",
    losses=LOSSES,
)
TEACHER = CodecTeacherConfig(
    training=CodecLearnerConfig(
        network=CodecConfig(width=32, latents=48),
        lambda_=CODEC.lambda_,
        optimiser=CODEC.optimiser,
        epochs=8,
        precision="bf16",
    ),
    every=2,
)


def compression_task(*, data: Source = "samples", features: tuple[str, ...] = FEATURES) -> CodecTask:
    """A codec of 16 and 24 channels at lambda 32, 1 epoch in 4 stages, with these features for patch weights.

    The teacher, of twice the width, is trained once and has four anchors. On "samples" there are 264
    patches to train on, on "bsds" 1024.
    """
    return CodecTask(data=PatchConfig(name=data), teacher=TEACHER, training=replace(CODEC, features=features))


def compression(*, data: Source = "samples", config: StageEnvConfig | None = None) -> StageEnv:
    """The environment `law_rl/Compression-v0`, by default with all three heads.

    The first reset on a machine trains the teacher and keeps it, see `RouteTraining.kept`. FileNotFoundError at that
    reset where data "bsds" is missing.
    """
    config = config or StageEnvConfig(action=ACTION, warmup=WARMUP)
    return StageEnv(compression_task(data=data, features=config.action.features or FEATURES), config)
