"""Names of header fields, as backends read them."""

import pytest

from sso_proxy.config.names import FIELD_NAME, alias, method_problem, origin_problem


@pytest.mark.parametrize("name", ["x-user", "X_User", "X.User", "X-USER"])
def test_names_that_backends_fold_are_one(name: str) -> None:
    assert alias(name) == "x-user"


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\n", "ä", "a\n"])
def test_what_is_no_token_is_no_name(name: str) -> None:
    assert not FIELD_NAME.fullmatch(name)


def test_a_method_is_a_token_in_capitals() -> None:
    assert method_problem("PROPFIND") is None
    for method in ("get", "TRACE", "CONNECT", "G T", ""):
        assert method_problem(method)


def test_an_origin_has_no_path_and_no_capitals() -> None:
    for origin in ("https://a.example", "http://localhost:3000", "https://[::1]:8443"):
        assert origin_problem(origin) is None
    for origin in ("null", "*", "https://a.example/", "https://A.example", "ftp://a"):
        assert origin_problem(origin)
