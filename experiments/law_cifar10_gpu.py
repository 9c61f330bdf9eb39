"""CIFAR-10 with uniform label noise (eta 0.4) on one GPU: a ResNet-18 on 10,000 images, 600 iterations a training.

Meant for less than ten minutes of one recent GPU: 68 trainings of about 8 seconds each. That is an estimate from the
number of iterations. This experiment has not been run, and its settings have not been tuned.
"""

from envs.cifar import FEATURES, UNIFORM_NOISE
from law_rl.actions import SampleWeights
from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.classification.task import ClassificationTask
from law_rl.data.sources import DataConfig
from law_rl.experiment import Experiment, SearchConfig
from law_rl.stage_env import StageEnvConfig
from policies.baselines import Oracle, SelfPacedPace, SmallLoss, UniformWeights
from policies.evolution import EvolutionConfig

experiment = Experiment(
    name="law_cifar10_gpu",
    task=ClassificationTask(
        data=DataConfig(name="cifar10", train=10_000, validation=2_500, noise=UNIFORM_NOISE),
        training=ClassificationConfig(
            network=NetworkConfig(name="resnet18"),
            optimiser=OptimiserConfig(lr=0.1, milestones=(0.5, 0.8)),
            batch_size=250,
            epochs=15,
            stages=10,
            features=FEATURES,
            memory_decay=0.7,
            precision="bf16",
            channels_last=True,
            device="cuda",
        ),
    ),
    env=StageEnvConfig(action=SampleWeights(features=FEATURES), warmup=2, pool=3),
    agent=EvolutionConfig(),
    search=SearchConfig(episodes=40),
    baselines=(UniformWeights(), SelfPacedPace(), SmallLoss(), Oracle()),
)
