"""LAW's setting on CIFAR-10 (1905.11058, the authors' released configuration): WRN-28-10, uniform noise with eta 0.4.

As released: the batches, the schedule of the learning rate, the stages, what the agent sees, sets and is paid, and its
learning. Not as released: the search holds out 5,000 validation images and the evaluation trains on the same 20,000
images, not on all 50,000; noise is drawn anew for each training seed; 100 episodes, not up to 1,000. A training is
12,000 iterations of batch 100, so this asks for days of one GPU. It has never been run.
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
