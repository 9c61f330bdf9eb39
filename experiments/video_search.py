"""Learn which frames count and how the trade-off moves while a small video codec is trained (motion over BSDS500)."""

from envs.video_compression import ACTION, WARMUP, video_task
from law_rl.experiment import Experiment, SearchConfig
from law_rl.stage_env import StageEnvConfig
from policies.evolution import EvolutionConfig
from policies.video_compression import VIDEO_CODECS

experiment = Experiment(
    name="video_search",
    task=video_task(data="bsds"),
    env=StageEnvConfig(action=ACTION, warmup=WARMUP, pool=3),
    agent=EvolutionConfig(population=8, sigma=0.3),
    search=SearchConfig(episodes=30),
    baselines=VIDEO_CODECS,
)
