"""``Server-Timing`` (W3C): where the time of a request went, for operators alone."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from sso_proxy.specs.http.forwarded import trusted_ranges

Steps: TypeAlias = list[tuple[str, float]]
"""What was done, in this order, and the monotonic time at which it was."""

Told: TypeAlias = Callable[[str], bool]
"""Says whether who calls from an address is told."""

REMEMBERED: Final = "remembered"
"""The step of a request that was decided on before."""


def make_told(networks: Sequence[str]) -> Told | None:
    """Let those in *networks* be told; None where nobody is."""
    return trusted_ranges(networks) if networks else None


def describe_steps(began: float, steps: Sequence[tuple[str, float]], now: float) -> str:
    """
    Say how long each of *steps* took since the one before, and all together.

    Args:
        began: Monotonic time of the head's arrival.
        steps: What was done since then; what has no time of its own is only named.
        now: Monotonic time of the answer.
    """
    metrics, last = [], began
    for name, at in steps:
        if name == REMEMBERED:
            metrics.append(name)
        else:
            metrics.append(f"{name};dur={(at - last) * 1000:.3f}")
        last = at
    metrics.append(f"total;dur={(now - began) * 1000:.3f}")
    return ", ".join(metrics)
