"""What the tests of HTTP heads share."""

from collections.abc import Callable

import pytest

from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.specs.http.request import read_request

Reader = Callable[[bytes], Incoming]


@pytest.fixture(scope="session")
def read() -> Reader:
    """Read a request as an https listener with the usual managed names does."""
    managed = ManagedNames(["X-Remote-User", "X-Auth-User"], ["X-Claim-"])
    limits = HeadLimits()

    def read(data: bytes) -> Incoming:
        return read_request(
            data, scheme="https", port=443, limits=limits, managed=managed
        )

    return read
