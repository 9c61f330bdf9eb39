"""Learn which patches count and how the trade-off moves while a small codec is trained, on photographs (BSDS500)."""

from envs.compression import FEATURES, GAIN, WARMUP, compression_task, trade_off
from law_rl.actions import Heads, SampleWeights
from law_rl.experiment import Experiment, SearchConfig
from law_rl.stage_env import StageEnvConfig
from policies.compression import CODECS
from policies.evolution import EvolutionConfig

ACTION = Heads(sample_weights=SampleWeights(features=FEATURES, gain=GAIN), loss_weights=trade_off("distortion"))

experiment = Experiment(
    name="compression_search",
    task=compression_task(data="bsds"),
    env=StageEnvConfig(action=ACTION, warmup=WARMUP, pool=5),
    agent=EvolutionConfig(population=10, sigma=0.3),
    search=SearchConfig(episodes=70),
    baselines=CODECS,
)
