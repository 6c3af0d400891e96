"""What tests of several servers share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.upstream_lab import Lab


@pytest.fixture
def make_lab() -> Iterator[Callable[..., Lab]]:
    """Make servers, and what forwards to them."""
    made: list[Lab] = []

    def lab(**options: Any) -> Lab:  # noqa: ANN401
        made.append(Lab(**options))
        return made[-1]

    yield lab
    for each in made:
        each.close()
