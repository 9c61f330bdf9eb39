"""LAW as published (1905.11058: the agent, state, features and reward of its released code), on noisy digits."""

from envs.digits import digits_task
from law_rl.actions import SampleWeights
from law_rl.experiment import Experiment
from law_rl.observation import LAW_STATE
from law_rl.stage_env import StageEnvConfig
from policies.baselines import STANDARD
from policies.law import LawConfig

FEATURES = ("loss", "entropy")

experiment = Experiment(
    name="law_digits",
    task=digits_task(noise=0.4, features=FEATURES),
    env=StageEnvConfig(action=SampleWeights(features=FEATURES, gain=10.0), observation=LAW_STATE, reward="law"),
    agent=LawConfig(),
    baselines=STANDARD,
)
