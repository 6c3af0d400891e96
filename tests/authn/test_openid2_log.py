"""What is written to the log."""

from sso_proxy.authn.openid2_log import Code, code_of, mark
from sso_proxy.errors import UnavailableError


def test_a_line_ends_with_the_code_of_mod_auth_oid() -> None:
    assert mark(Code.NO_LOGIN) == "[AOID 015]"


def test_a_server_that_is_down_is_a_reason_to_log_in_again() -> None:
    assert code_of(UnavailableError("x")) is Code.NO_LOGIN
