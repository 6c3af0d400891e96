"""What tests of sessions share."""

from typing import Any

import pytest

from tests.support.sessions import MAKERS


@pytest.fixture
def maker(kind: str) -> Any:  # noqa: ANN401
    """Give what makes sessions of one kind, and then of the other."""
    return MAKERS[kind]
