"""The processes that Ray started for this one, to be killed on purpose."""

import os
from pathlib import Path


def actor_processes(kind: str) -> list[int]:
    """Identities of the live processes of Ray actors of a class that descend from this process; those of other runs
    are not ours to kill.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            named = (process / "cmdline").read_bytes().startswith(f"ray::{kind}".encode())
            ours = named and _descends(int(process.name))
        except OSError:
            continue
        if ours:
            found.append(int(process.name))
    return sorted(found)


def _descends(process: int) -> bool:
    while process > 1:
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        if process == os.getpid():
            return True
    return False
