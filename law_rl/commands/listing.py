"""Listing what a project has, and laying out a new one."""

import dataclasses
import importlib
import inspect
import pkgutil
from pathlib import Path

from law_rl import project
from law_rl.commands.arguments import EnvsCommand, NewCommand, PoliciesCommand
from law_rl.commands.printing import print_rows
from law_rl.schedule import Schedule


def run(command: EnvsCommand | PoliciesCommand | NewCommand) -> None:
    """Runs one of the commands."""
    match command:
        case EnvsCommand():
            envs(as_json=command.json)
        case PoliciesCommand():
            policies(as_json=command.json)
        case NewCommand():
            new(command.directory)


def envs(*, as_json: bool) -> None:
    """Prints the environments that the project registers."""
    import gymnasium

    project.activate(project.find_root())
    importlib.import_module("envs")
    rows = []
    for identity, spec in sorted(gymnasium.registry.items()):
        if str(spec.entry_point).startswith("envs."):
            env = gymnasium.make(identity).unwrapped
            sees, sets = getattr(env, "observation_names", ()), getattr(env, "action_names", ())
            rows.append({"id": f"envs:{identity}", "sees": list(sees), "sets": list(sets)})
    print_rows(rows, as_json=as_json)


def policies(*, as_json: bool) -> None:
    """Prints the agents, baselines and learned schedules in the project's `policies`."""
    root = project.find_root()
    project.activate(root)
    package = importlib.import_module("policies")
    rows = []
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"policies.{info.name}")
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__ and dataclasses.is_dataclass(kind) and hasattr(kind, "name"):
                role = "agent" if hasattr(kind, "build") else "baseline"
                does = (inspect.getdoc(kind) or "").split("\n")[0]
                rows.append(
                    {"role": role, "name": kind.name, "what it does": does, "class": f"{module.__name__}.{name}"}
                )
    for path in sorted((root / "policies" / "learned").glob("*.safetensors")):
        schedule = Schedule.load(path)
        does = f"learned for {schedule.provenance.get('experiment', 'an unnamed experiment')}"
        rows.append({"role": "schedule", "name": path.stem, "what it does": does, "class": str(path.relative_to(root))})
    print_rows(rows, as_json=as_json)


def new(directory: Path) -> None:
    """Lays out a project."""
    from law_rl.template import create_project

    files = create_project(directory)
    print(f"{directory}: {len(files)} files. Next: cd {directory} && law-rl search experiments/quickstart.py")
