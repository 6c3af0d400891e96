"""What tests of listeners share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.listening import Place


@pytest.fixture
def make() -> Iterator[Callable[..., Place]]:
    places = []

    def place(**rules: Any) -> Place:  # noqa: ANN401
        places.append(Place(**rules))
        return places[-1]

    yield place
    for each in places:
        each.close()
