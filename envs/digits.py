"""Handwritten digits with noisy labels: small enough that a whole training takes a second of one CPU core."""

from law_rl.actions import SampleWeights
from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.classification.task import ClassificationTask
from law_rl.data.noise import NoiseConfig
from law_rl.data.sources import DataConfig
from law_rl.stage_env import StageEnv, StageEnvConfig

FEATURES = ("own_confidence_in_class",)


def digits_task(
    *, noise: float = 0.4, imbalance: float = 1.0, features: tuple[str, ...] = FEATURES
) -> ClassificationTask:
    """An MLP on scikit-learn's digits, 40 epochs in 10 stages; `noise` is LAW's eta, `imbalance` largest over smallest
    class.
    """
    labels = NoiseConfig(kind="uniform", rate=noise) if noise > 0 else NoiseConfig()
    return ClassificationTask(
        data=DataConfig(name="digits", noise=labels, imbalance=imbalance),
        training=ClassificationConfig(
            network=NetworkConfig(name="mlp", width=128, depth=2),
            optimiser=OptimiserConfig(lr=0.1),
            features=features,
            memory_decay=0.6,
        ),
    )


def noisy_digits(*, noise: float = 0.4, config: StageEnvConfig | None = None) -> StageEnv:
    """The environment `law_rl/NoisyDigits-v0`."""
    config = config or StageEnvConfig(action=SampleWeights(features=FEATURES))
    return StageEnv(digits_task(noise=noise, features=config.action.features), config)
