"""What tests of listeners share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sso_proxy.edge import connection
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.request import read_request
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
def read_whole(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Give the heads that are read as a whole, as they are."""
    heads: list[bytes] = []

    def read(raw: bytes, **options: Any) -> Incoming:  # noqa: ANN401
        heads.append(raw)
        return read_request(raw, **options)

    monkeypatch.setattr(connection, "read_request", read)
    return heads
