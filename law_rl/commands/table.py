"""Tables: every row of a module's `table`, trained on unseen seeds and held against its control."""

import dataclasses
from pathlib import Path

from rich.console import Console

from law_rl import project
from law_rl.commands.arguments import TableCommand
from law_rl.commands.run import open_workers
from law_rl.progress import Progress
from law_rl.report.table_files import print_table, write_table
from law_rl.run import choose_directory
from law_rl.table import Table
from law_rl.table_run import make_table


def table(command: TableCommand) -> None:
    """Makes a table, or what of it is missing, and prints it."""
    root, wanted = load(command)
    directory = choose_directory(root, wanted.name, command.out, resume=command.resume)
    console = Console(stderr=command.json)
    trainings = f"{len(wanted.rows)} rows on {len(wanted.seeds)} seeds"
    console.print(f"{wanted.name}: {trainings}, results in {directory}", highlight=False, soft_wrap=True)
    with Progress(console) as progress:
        result = make_table(
            wanted,
            directory,
            open_workers=lambda setting: open_workers(setting, command, root),
            progress=progress,
        )
    write_table(directory, result)
    if command.json:
        print((directory / "table.json").read_text(encoding="utf-8"), end="")
        return
    print_table(console, result)
    console.print(f"table: {directory / 'table.md'}", highlight=False, soft_wrap=True)


def load(command: TableCommand) -> tuple[Path, Table]:
    """The project's root and the rows of the table that the command asks for; ValueError where there are none."""
    root = project.find_root()
    module = project.load_module(command.table, root)
    found = getattr(module, "table", None)
    if not isinstance(found, Table):
        raise ValueError(f"{module.__file__} holds no table: assign a law_rl.table.Table to `table`")
    if command.seeds is not None:
        evaluation = dataclasses.replace(found.evaluation, seeds=command.seeds)
        found = dataclasses.replace(found, evaluation=evaluation)
    return root, found.only(command.rows) if command.rows else found
