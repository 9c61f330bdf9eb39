"""Learn which teacher to follow, which samples to trust and how to mix the losses, on digits: about a minute."""

from envs.distillation import ACTION, WARMUP, distillation_task
from law_rl.experiment import EvaluationConfig, Experiment, SearchConfig
from law_rl.stage_env import StageEnvConfig
from policies.distillation import DISTILLATION
from policies.evolution import EvolutionConfig

experiment = Experiment(
    name="distill_digits",
    task=distillation_task(),
    env=StageEnvConfig(action=ACTION, warmup=WARMUP, pool=6),
    agent=EvolutionConfig(population=10),
    search=SearchConfig(episodes=300),
    evaluation=EvaluationConfig(seeds=10),
    baselines=DISTILLATION,
)
