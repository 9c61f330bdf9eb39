"""Learn training curricula with reinforcement learning, and follow them from any training code."""

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["Schedule", "__version__"]

if TYPE_CHECKING:
    from law_rl.schedule import Schedule
else:

    def __getattr__(name: str) -> object:
        if name == "Schedule":
            from law_rl.schedule import Schedule

            return Schedule
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
