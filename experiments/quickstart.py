"""The main job: learn to weight the samples of noisily labelled digits, in about a minute on two CPU cores."""

from envs.digits import FEATURES, digits_task
from law_rl.actions import SampleWeights
from law_rl.experiment import Experiment
from law_rl.stage_env import StageEnvConfig
from policies.baselines import STANDARD
from policies.evolution import EvolutionConfig

experiment = Experiment(
    name="quickstart",
    task=digits_task(noise=0.4),
    env=StageEnvConfig(action=SampleWeights(features=FEATURES)),
    agent=EvolutionConfig(),
    baselines=STANDARD,
)
