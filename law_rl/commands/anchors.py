"""RCO's greedy search for the anchors of a teacher's route that a student needs."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

import law_rl
from law_rl.commands.distillation import classification_task, keep_config
from law_rl.commands.distillation_arguments import AnchorsCommand
from law_rl.commands.experiments import load
from law_rl.distillation.anchors import GreedySearch, greedy_search
from law_rl.distillation.greedy import every_kth, measure_divergences
from law_rl.experiment import EVALUATION_SEEDS_FROM, Experiment
from law_rl.files import write_atomic, write_json
from law_rl.progress import Progress
from law_rl.report.plots import render
from law_rl.report.route import draw_ratios
from law_rl.run import choose_directory

HEIGHT = 5.0
"""Inches of the plot of one threshold."""


def anchors(command: AnchorsCommand, overrides: Sequence[str]) -> None:
    """Measures how hard every anchor is for students of every other, chooses, and says what to hand to Rco."""
    root, experiment = load(command.experiment, overrides)
    task, seed = classification_task(experiment, "anchors"), choose_seed(command, experiment)
    check_deltas(command.delta)
    directory = choose_directory(root, f"{experiment.name}-anchors", command.out, resume=command.resume)
    console = Console(stderr=command.json)
    with Progress(console) as progress:
        task.prepare(partial(progress.preparation, experiment.name))
        route = task.learner(seed).teacher.route
        indices = every_kth(len(route), command.every)
        config = {"experiment": experiment.name, "task": task.describe(), "seed": seed, "indices": indices}
        keep_config(directory / "config.json", config | {"law_rl": law_rl.__version__}, resume=command.resume)
        said = f"{experiment.name}: a student for each of {len(indices)} anchors, results in {directory}"
        console.print(said, highlight=False, soft_wrap=True)
        kept = directory / "checkpoints" / "divergences.json"
        divergences = measure_divergences(task, seed, progress.students, indices=indices, kept=kept)
    searches = [greedy_search(divergences, delta) for delta in command.delta]
    epochs = [route.epochs[index] for index in indices]
    result = {
        "experiment": experiment.name,
        "seed": seed,
        "indices": list(indices),
        "epochs": epochs,
        "divergences": divergences.tolist(),
        "choices": [choice(search, indices, epochs) for search in searches],
    }
    write_json(directory / "ratios.json", result)
    write_plot(directory / "ratios.svg", searches, epochs)
    if command.json:
        print(json.dumps(result, indent=2))
    else:
        print_choices(console, result, directory)


def choose_seed(command: AnchorsCommand, experiment: Experiment) -> int:
    """The training seed; ValueError for one of an evaluation, which must not see what is chosen with it."""
    seed = experiment.env.first_seed if command.seed is None else command.seed
    if not 0 <= seed < EVALUATION_SEEDS_FROM:
        raise ValueError(
            f"seed is {seed}: give one from 0 to {EVALUATION_SEEDS_FROM - 1}; later ones are for evaluation"
        )
    return seed


def check_deltas(deltas: Sequence[float]) -> None:
    """ValueError where a threshold is not one, before anything is trained."""
    wrong = [delta for delta in deltas if not 0 < delta < float("inf")]
    if wrong or not deltas:
        raise ValueError(f"delta is {wrong[0] if wrong else 'empty'}: give positive thresholds, usually above 1")


def choice(search: GreedySearch, indices: Sequence[int], epochs: Sequence[int]) -> dict[str, Any]:
    """What a search chose: indices of the whole route, and epochs."""
    chosen = {"indices": [indices[i] for i in search.indices], "epochs": [epochs[i] for i in search.indices]}
    return {"delta": search.delta, **chosen}


def write_plot(path: Path, searches: Sequence[GreedySearch], epochs: Sequence[int]) -> None:
    """The ratios, once for each threshold."""

    def draw(figure: Figure) -> None:
        parts = figure.subfigures(len(searches), 1, squeeze=False)[:, 0]
        for part, search in zip(parts, searches, strict=True):
            draw_ratios(cast(Figure, part), search, epochs)

    write_atomic(path, render(draw, HEIGHT * len(searches), name="ratios").encode())


def print_choices(console: Console, result: dict[str, Any], directory: Path) -> None:
    """A table of what each threshold chooses."""
    table = Table(title="anchors by greedy search: a larger delta takes fewer")
    for heading in ("delta", "anchors", "epochs", "policies.distillation"):
        table.add_column(heading, justify="left" if heading == "policies.distillation" else "right", overflow="fold")
    for entry in result["choices"]:
        indices, epochs = entry["indices"], " ".join(map(str, entry["epochs"]))
        name = f"rco_greedy_{entry['delta']:g}"
        rco = f'Rco(indices={tuple(indices)}, name="{name}")'
        table.add_row(f"{entry['delta']:g}", str(len(indices)), epochs, rco)
    console.print(table)
    first = f"rco_greedy_{result['choices'][0]['delta']:g}"
    console.print(
        f"in {directory}: ratios.json, ratios.svg\nto train by one of these, put its Rco(...) among the experiment's "
        f"baselines; then, for example, law-rl distill {result['experiment']} --by {first}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
