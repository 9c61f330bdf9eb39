"""Writes docs/results.md from what the benchmarks and recorded runs left in benchmarks/results.

A run is recorded by copying its result.json, or what `law-rl evaluate --out` wrote, to
benchmarks/results/run_NAME.json; a table by copying its table.md to benchmarks/results/table_NAME.md.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from benchmarks.running import ROOT
from benchmarks.tables import RESULTS, markdown_table, signed
from law_rl.evaluate import LEARNED, UNIFORM, Evaluation
from law_rl.files import write_atomic
from law_rl.statistics import Interval

PAGE = ROOT / "docs" / "results.md"
SECTIONS = {
    "claims": "Noise levels and a long tail",
    "rivals": "Other ways of searching, on the same number of trainings",
    "rewards": "Rewards",
    "step_cost": "What a weighted step costs",
    "orchestration": "What the environment costs",
    "throughput": "One worker and two",
    "throughput_gpu": "Workers on shares of one GPU",
    "scale": "Many workers, simulated",
    "soak": "A thousand episodes while workers are killed",
    "vec_env": "RayVecEnv beside SubprocVecEnv",
    "node_memory": "Data in memory once a node",
    "route_divergence": "How close a student gets to its teacher, along the route and without",
    "face_mining": "The hardest identities of a hundred thousand",
    "score_alignment": "Scores aligned by inter-class neighbours",
    "alignment_cost": "What aligning scores costs",
    "face_identify": "Identification among a million, beside faiss",
    "congruence_cost": "Correlation congruence",
    "congruence_step": "Correlation congruence in a training step",
    "entropy_coding": "What the entropy coding of an image costs",
    "codec_kodak": "Compressed photographs, beside other codecs",
    "codec_size": "Files of the codec beside its own estimate",
    "codec_rivals": "Coding images, beside CompressAI",
    "codec_ablation": "What each module of the codec is worth",
    "codec_fuzz": "Damaged image files",
    "video_files": "Video files: their size beside the estimate, their frames, times",
    "video_ablation": "What each part of the video codec is worth",
    "video_peers": "Compressed videos, beside x264 and x265",
    "video_damage": "Damaged video files",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Where results are, and where the page goes."""

    results: Path = RESULTS
    out: Path = PAGE


def run_section(result: dict[str, Any]) -> str:
    """A recorded run as a table, best first."""
    schedules = result["schedules"]
    values = {name: tuple(entry["values"]) for name, entry in schedules.items()}
    evaluation = Evaluation(metric=result["metric"], seeds=tuple(result["seeds"]), values=values)
    names = sorted(values, key=lambda name: -evaluation.interval(name).mean)
    rows = [(n, str(evaluation.interval(n)), signed(evaluation.gain(n)) if n != UNIFORM else "") for n in names]
    closed = result["gap_closed"]
    low, high = result["gain"]["ci95"]
    gain = Interval(mean=result["gain"]["mean"], low=low, high=high)
    share = f", {100 * closed:.0f} % of the gap between uniform and oracle" if closed is not None else ""
    text = f"{LEARNED} over {UNIFORM}: {signed(gain)} points{share}. {origin(result)}"
    return f"{text}\n\n{markdown_table(('curriculum', result['metric'], 'over uniform'), rows)}"


def origin(result: dict[str, Any]) -> str:
    """How the schedule of a recorded result was come by, and the command."""
    if "search" not in result:
        digest = result["schedule"][:12]
        return f"`law-rl evaluate SCHEDULE experiments/{result['experiment']}.py`, for the schedule with hash {digest}."
    search = result["search"]
    return (
        f"Search: {search['trainings']} trainings for {search['episodes']} episodes in {search['wall_s']:.0f} s with "
        f"{search['workers']} workers, without the evaluation. `law-rl search experiments/{result['experiment']}.py`."
    )


def page(results: Path) -> str:
    """The whole page in markdown."""
    parts = [
        "# What was measured",
        "Written by `python -m benchmarks.results_page` from the files in `benchmarks/results`. Intervals are 95 % "
        "t intervals over unseen training seeds; differences are paired.",
    ]
    for path in sorted(results.glob("run_*.json")):
        result = json.loads(path.read_text())
        parts += [f"## `{path.stem.removeprefix('run_')}`", run_section(result)]
    for path in sorted(results.glob("table_*.md")):
        title, table = path.read_text().removeprefix("# ").strip().split("\n", 1)
        command = f"`law-rl table experiments/{path.stem.removeprefix('table_')}.py`"
        parts += [f"## {title}", f"{table.strip()} {command}."]
    for name, title in SECTIONS.items():
        path = results / f"{name}.md"
        if path.is_file():
            parts += [f"## {title}", path.read_text().strip()]
    return "\n\n".join(parts) + "\n"


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    write_atomic(options.out, page(options.results).encode())
    print(options.out)


if __name__ == "__main__":
    main()
