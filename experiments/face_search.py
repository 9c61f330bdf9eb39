"""Learn which faces count, which teacher to follow and how to mix the losses, on real photographs (LFW)."""

from envs.faces import ACTION, WARMUP, face_task
from law_rl.experiment import Experiment, SearchConfig
from law_rl.stage_env import StageEnvConfig
from policies.evolution import EvolutionConfig
from policies.faces import FACES

experiment = Experiment(
    name="face_search",
    task=face_task(data="lfw"),
    env=StageEnvConfig(action=ACTION, warmup=WARMUP, pool=5),
    agent=EvolutionConfig(population=10),
    search=SearchConfig(episodes=70),
    baselines=FACES,
)
