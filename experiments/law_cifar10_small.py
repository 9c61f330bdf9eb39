"""CIFAR-10 with uniform label noise (eta 0.4), small enough for two CPU cores: an MLP on 8,000 images.

80 trainings of about 22 seconds of one core: about a quarter of an hour with two workers.
"""

from envs.cifar import FEATURES, WARMUP, cifar_task
from law_rl.actions import SampleWeights
from law_rl.experiment import Experiment, SearchConfig
from law_rl.stage_env import StageEnvConfig
from policies.baselines import Oracle, SelfPacedPace, SmallLoss, UniformWeights
from policies.evolution import EvolutionConfig

experiment = Experiment(
    name="law_cifar10_small",
    task=cifar_task(),
    env=StageEnvConfig(action=SampleWeights(features=FEATURES), warmup=WARMUP),
    agent=EvolutionConfig(),
    search=SearchConfig(episodes=50),
    baselines=(UniformWeights(), SelfPacedPace(), SmallLoss(), Oracle()),
)
