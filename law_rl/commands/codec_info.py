"""What a compressed file holds, and whether it is whole."""

import json
from dataclasses import asdict

from rich.console import Console

from law_rl.commands.codec_arguments import CodecInfoCommand
from law_rl.commands.codec_info_picture import examine_picture
from law_rl.commands.codec_info_video import examine_video, is_video


def info(command: CodecInfoCommand) -> None:
    """Prints what is known; FileNotFoundError where there is no such file, ValueError for a damaged one."""
    if not command.file.is_file():
        raise FileNotFoundError(f"There is no file {command.file}: check its name")
    examine = examine_video if is_video(command.file) else examine_picture
    facts = examine(command.file, command.model)
    if command.json:
        print(json.dumps(asdict(facts), indent=2))
    else:
        Console().print("\n".join(facts.lines()), highlight=False, markup=False, soft_wrap=True)
    if facts.problem is not None:
        raise ValueError(f"{facts.file}: {facts.problem}")
