"""LAW's setting on CIFAR-10 (1905.11058, the authors' released configuration): WRN-28-10, uniform noise with eta 0.4.

As released: data sizes of the search, augmentation, batch size, learning rates, stages, the agent's state, features,
reward and update. Not as released: the evaluation trains on the same 20,000 images, not on all 50,000; batches permute
each epoch; noise is drawn anew for each training seed; actions are clipped to [-1, 1] with gain 10; an agent acts with
the policy of `search.lag` episodes before; 100 episodes, not up to 1,000.

These are 150 trainings of 12,000 iterations: by their operations about a day of a GPU that sustains 60 TFLOP/s. This
experiment has not been run.
"""

from envs.cifar import UNIFORM_NOISE
from law_rl.actions import SampleWeights
from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.classification.task import ClassificationTask
from law_rl.data.augment import AugmentConfig
from law_rl.data.sources import DataConfig
from law_rl.experiment import Experiment, SearchConfig
from law_rl.observation import LAW_STATE
from law_rl.stage_env import StageEnvConfig
from policies.baselines import STANDARD
from policies.law import LawConfig

FEATURES = ("loss", "entropy")
STAGES = 40

experiment = Experiment(
    name="law_cifar10",
    task=ClassificationTask(
        data=DataConfig(name="cifar10", train=20_000, validation=5_000, noise=UNIFORM_NOISE),
        training=ClassificationConfig(
            network=NetworkConfig(name="wrn28_10"),
            optimiser=OptimiserConfig(
                lr=0.1, momentum=0.9, weight_decay=5e-4, schedule="step", milestones=(30 / STAGES, 35 / STAGES)
            ),
            augment=AugmentConfig(flip=True, crop=4, padding="reflect"),
            batch_size=100,
            epochs=60,
            stages=STAGES,
            features=FEATURES,
            device="cuda",
        ),
    ),
    env=StageEnvConfig(
        action=SampleWeights(features=FEATURES, gain=10.0), observation=LAW_STATE, reward="law", warmup=5
    ),
    agent=LawConfig(update_every="stage"),
    search=SearchConfig(episodes=100),
    baselines=STANDARD,
)
