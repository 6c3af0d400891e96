"""An authority for the tests of this directory."""

import pytest

from sso_proxy.testing.pki import Pki


@pytest.fixture(scope="session")
def pki() -> Pki:
    """Give an authority."""
    return Pki.create("Conformance CA")
