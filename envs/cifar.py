"""CIFAR-10 with noisy labels, cut down until a whole training takes less than a minute of one CPU core."""

from law_rl.actions import SampleWeights
from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.classification.task import ClassificationTask
from law_rl.data.noise import NoiseConfig
from law_rl.data.sources import DataConfig
from law_rl.stage_env import StageEnv, StageEnvConfig

FEATURES = ("own_confidence_in_class", "own_agreement")
UNIFORM_NOISE = NoiseConfig(kind="uniform", rate=0.4)
HUMAN_NOISE = NoiseConfig(kind="human", labels="noisy_labels/cifar10n.npz", column="worse_label")
WARMUP = 2


def cifar_task(
    *, noise: NoiseConfig = UNIFORM_NOISE, train: int = 8_000, features: tuple[str, ...] = FEATURES
) -> ClassificationTask:
    """An MLP on `train` images of CIFAR-10, 24 epochs in 12 stages: it learns wrong labels by heart, where the small
    CNN learned fewer of them at twice the cost. `noise` is LAW's uniform noise with eta 0.4, or the human labels of
    CIFAR-10N (40.2 % wrong).
    """
    return ClassificationTask(
        data=DataConfig(name="cifar10", train=train, validation=2_000, noise=noise),
        training=ClassificationConfig(
            network=NetworkConfig(name="mlp", width=512, depth=2),
            optimiser=OptimiserConfig(lr=0.01, weight_decay=1e-4, milestones=(0.5, 0.8)),
            batch_size=64,
            epochs=24,
            stages=12,
            features=features,
            memory_decay=0.7,
            precision="bf16",
        ),
    )


def noisy_cifar10(*, noise: NoiseConfig = UNIFORM_NOISE, config: StageEnvConfig | None = None) -> StageEnv:
    """The environment `law_rl/NoisyCifar10-v0`; FileNotFoundError at the first reset where CIFAR-10 is missing."""
    config = config or StageEnvConfig(action=SampleWeights(features=FEATURES), warmup=WARMUP)
    return StageEnv(cifar_task(noise=noise, features=config.action.features), config)
