"""What tests of listeners share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sso_proxy.specs.http import request
from sso_proxy.specs.http.authority import read_authority
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


@pytest.fixture
def read_whole(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the authority of each head that is read as a whole."""
    found: list[str] = []

    def read(text: str) -> tuple[str, int | None]:
        found.append(text)
        return read_authority(text)

    # What reads heads is compiled, this is not: it is called by its name.
    monkeypatch.setattr(request, "read_authority", read)
    return found
