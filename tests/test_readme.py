"""The README's examples run as printed."""

import contextlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from stable_baselines3 import SAC

ROOT = Path(__file__).parents[1]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
FOLLOW = next(example for example in EXAMPLES if "Schedule.load" in example)


def train(code: str, seed: int) -> float:
    """Runs the loop on digits with 40 % noise by code of its own; returns test accuracy in percent."""
    digits = load_digits()
    random = np.random.default_rng(seed)
    order = random.permutation(len(digits.target))
    train_ids, test_ids = order[:1000], order[1000:]
    noisy = digits.target.copy()
    redrawn = random.random(len(noisy)) < 0.4
    noisy[redrawn] = random.integers(0, 10, redrawn.sum())
    inputs = torch.tensor(digits.data / 8.0 - 1.0, dtype=torch.float32)
    labels = torch.tensor(noisy[train_ids])
    data = torch.utils.data.TensorDataset(torch.arange(1000), inputs[train_ids], labels)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        linear = torch.nn.Linear
        model = torch.nn.Sequential(
            linear(64, 128), torch.nn.ReLU(), linear(128, 128), torch.nn.ReLU(), linear(128, 10)
        )
    names: dict[str, Any] = {
        "epochs": 30,
        "loader": torch.utils.data.DataLoader(data, batch_size=64, shuffle=True, generator=generator),
        "labels": labels,
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
    }
    with contextlib.chdir(ROOT):
        exec(code, names)
    predictions = model(inputs[test_ids]).argmax(dim=1)
    return 100 * float((predictions == torch.tensor(digits.target[test_ids])).double().mean())


def test_following_in_a_plain_loop_beats_the_same_loop_without() -> None:
    plain = FOLLOW.replace("((weights * losses).sum() / weights.sum()).backward()", "losses.mean().backward()")
    assert plain != FOLLOW
    assert train(FOLLOW, seed=3) > train(plain, seed=3) + 8


def test_the_example_imports_torch_and_one_name_of_ours() -> None:
    imports = [line for line in FOLLOW.splitlines() if re.match(r"(import|from) ", line)]
    assert imports == ["import torch", "from law_rl import Schedule"]


@pytest.mark.ray
def test_the_vector_environment_trains(ray_session: ModuleType) -> None:
    example = next(example for example in EXAMPLES if "RayVecEnv" in example)
    names: dict[str, Any] = {"gymnasium": gymnasium}
    with contextlib.chdir(ROOT):
        exec(example, names)
        with contextlib.closing(names["env"]) as env:
            assert env.num_envs == 2
            assert SAC("MlpPolicy", env).learn(2).num_timesteps == 2


def test_stock_agents_train_on_the_registered_environment() -> None:
    example = next(example for example in EXAMPLES if "SAC" in example)
    short = example.replace("learn(90)", "learn(3)")
    assert short != example
    with contextlib.chdir(ROOT):
        exec(short, {})


@pytest.mark.parametrize(
    "target", ["docs/concepts.md", "docs/schedules.md", "docs/results.md", "docs/cluster.md", "CONTRIBUTING.md"]
)
def test_links_lead_somewhere(target: str) -> None:
    assert target in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / target).is_file()
