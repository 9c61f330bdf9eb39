"""Learn how to distil a face recogniser, on synthetic drawings that stand for no person: no file is needed.

Some minutes on two CPU cores, the teacher included.
"""

from envs.faces import ACTION, WARMUP, face_task
from law_rl.experiment import Experiment, SearchConfig
from law_rl.stage_env import StageEnvConfig
from policies.evolution import EvolutionConfig
from policies.faces import FACES

experiment = Experiment(
    name="face_demo",
    task=face_task(),
    env=StageEnvConfig(action=ACTION, warmup=WARMUP, pool=3),
    agent=EvolutionConfig(),
    search=SearchConfig(episodes=30),
    baselines=FACES,
)
