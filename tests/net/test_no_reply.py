"""What went wrong is told, and nothing of what was sent or received."""

import pytest
from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,  # noqa: A004
    DNSLookupError,
    TimeoutError,  # noqa: A004
)
from twisted.python.failure import Failure
from twisted.web._newclient import ParseError
from twisted.web.client import ResponseFailed, ResponseNeverReceived

from sso_proxy.net.http_agent import UrlError
from sso_proxy.net.no_reply import (
    NoReplyError,
    TooLongError,
    Trouble,
    describe,
    first_cause,
)
from sso_proxy.net.tunnel import TunnelError


@pytest.mark.parametrize(
    ("cause", "trouble", "shown"),
    [
        (CancelledError(), Trouble.TIMEOUT, "no answer in 5 s"),
        (TimeoutError(), Trouble.TIMEOUT, "TimeoutError"),
        (ConnectionRefusedError(), Trouble.UNREACHABLE, "ConnectionRefusedError"),
        (DNSLookupError("no address"), Trouble.UNREACHABLE, "no address"),
        (TunnelError("the proxy refused: 403"), Trouble.UNREACHABLE, "refused: 403"),
        (UrlError("neither"), Trouble.UNREACHABLE, "neither"),
        (SSL.Error([("", "", "verify failed")]), Trouble.UNREACHABLE, "verify failed"),
        (TooLongError("too long"), Trouble.GARBLED, "too long"),
        (ConnectionLost(), Trouble.GARBLED, "ConnectionLost"),
        (ParseError("no", b"HTTP"), Trouble.GARBLED, "ParseError"),
    ],
)
def test_causes_are_told_apart(cause: Exception, trouble: Trouble, shown: str) -> None:
    problem, kind = describe(cause, 5.0)
    assert kind is trouble
    assert shown in problem


@pytest.mark.parametrize(
    "cause", [ParseError("bad", b"secret"), ValueError("b'secret'"), KeyError("secret")]
)
def test_what_may_quote_the_server_is_not_shown(cause: Exception) -> None:
    assert describe(cause, 5.0) == (type(cause).__name__, Trouble.GARBLED)


def test_messages_are_short() -> None:
    assert len(describe(TunnelError("x" * 9999), 5.0)[0]) == 300


def test_the_first_cause_is_found_inside_others() -> None:
    done = ConnectionDone()
    inner = ResponseFailed([Failure(done), Failure(ValueError())])
    assert first_cause(ResponseNeverReceived([Failure(inner)])) is done
    assert first_cause(done) is done


def test_for_who_does_not_look_closer_it_is_unavailable() -> None:
    error = NoReplyError("jwks", problem="no", trouble=Trouble.GARBLED)
    assert (error.what, error.status) == ("jwks", 503)
