"""One proxy of ours with its backend, for measurements without peers."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs

from tests.bench import checks, peers
from tests.bench.material import Material, build_material
from tests.bench.peers import OURS, Backend, Target


@attrs.frozen(kw_only=True)
class Session:
    """
    What is running.

    Attributes:
        things: Keys, tokens, files.
        behind: The backend.
        target: The proxy.
    """

    things: Material
    behind: Backend
    target: Target


@contextlib.contextmanager
def session(
    name: str = OURS, *, directory: Path | None = None, verify: bool = True
) -> Iterator[Session]:
    """
    Run the proxy called *name* and a backend as long as the block lasts.

    Args:
        name: One of `peers.TARGETS`; peers show what a measurement is worth.
        directory: Where the working directory is made.
        verify: Whether to check first that it answers as it should.
    """
    with contextlib.ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(dir=directory)
        things = build_material(Path(stack.enter_context(temporary)), tokens=10)
        behind = stack.enter_context(peers.backend(things))
        running = stack.enter_context(peers.targets([name], things, behind))
        if verify:
            checks.check(running[name], things)
        yield Session(things=things, behind=behind, target=running[name])


def rewrite(path: Path, text: str) -> None:
    """Replace a configuration file at once, so that nobody reads half of it."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
