"""The quickstart with a search space: `law-rl tune quickstart_space --algorithm grid` tries its six configurations.

`space` names fields of the agent, the environment or the search by their dotted names, each with what it may be:
Choice(values=...), Uniform(low=, high=), LogUniform(low=, high=) or IntUniform(low=, high=). A grid takes choices only;
random, asha, pbt and optuna take ranges as well. Each trial is a whole search, so try a space with few episodes first:
`law-rl tune quickstart_space --algorithm grid --search.episodes 20`.
"""

from experiments.quickstart import experiment as quickstart
from law_rl.tuning import Choice, Space, with_fields

experiment = with_fields(quickstart, {"name": "quickstart_space"})

space = Space(
    fields={
        "agent.sigma": Choice(values=(0.2, 0.5, 1.0)),
        "agent.population": Choice(values=(4, 8)),
    }
)
