"""Names of header fields, as backends read them."""

import pytest

from sso_proxy.config.names import FIELD_NAME, alias


@pytest.mark.parametrize("name", ["x-user", "X_User", "X.User", "X-USER"])
def test_names_that_backends_fold_are_one(name: str) -> None:
    assert alias(name) == "x-user"


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\n", "ä", "a\n"])
def test_what_is_no_token_is_no_name(name: str) -> None:
    assert not FIELD_NAME.fullmatch(name)
