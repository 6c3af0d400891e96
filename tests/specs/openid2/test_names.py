"""The names are those of the standard."""

from openid.message import IDENTIFIER_SELECT as THEIR_SELECT
from openid.message import OPENID2_NS

from sso_proxy.specs.openid2.names import (
    IDENTIFIER_SELECT,
    NS,
    RETURN_TO,
    SERVER,
    SIGNON,
)


def test_names_are_those_that_another_implementation_has() -> None:
    assert OPENID2_NS == NS
    assert THEIR_SELECT == IDENTIFIER_SELECT
    assert SERVER == "http://specs.openid.net/auth/2.0/server"
    assert SIGNON == "http://specs.openid.net/auth/2.0/signon"
    assert RETURN_TO == "http://specs.openid.net/auth/2.0/return_to"
