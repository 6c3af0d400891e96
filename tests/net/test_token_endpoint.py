"""A token endpoint's answers are told apart: a token, a refusal, or none at all."""

from typing import Any

import pytest

from sso_proxy.errors import UnavailableError
from sso_proxy.net.no_reply import NoReplyError, Trouble
from sso_proxy.net.provider_link import ClientIdentity
from sso_proxy.net.token_endpoint import TokenEndpoint
from sso_proxy.specs.oauth.client_auth import ClientAuth
from sso_proxy.specs.oidc.token_response import (
    TokenResponse,
    TokenResponseError,
    read_token_response,
)
from sso_proxy.testing import outcome_of
from sso_proxy.testing.clock import SettableClock
from tests.conformance.parts import Client
from tests.support.remote_scene import SECRET
from tests.support.sts import TokenServer
from tests.support.sts_faults import (
    DOWN,
    REDIRECTS,
    REFUSALS,
    UNUSABLE,
    names,
    refused,
)

FIELDS = (("grant_type", "password"), ("username", "u"), ("password", "p" * 40))
OUR_FAULT = {"invalid_client", "unauthorized_client", "unsupported_grant_type"}


class Scene:
    """An endpoint, and a server that answers there."""

    def __init__(self, *secrets: str, http_client: Any = None) -> None:  # noqa: ANN401
        clock = SettableClock()
        self.sts = TokenServer(Client(secret=SECRET), clock=clock.time)
        self.sts.jwt = False
        clients = [
            ClientAuth(method="client_secret_basic", client_id="proxy", secret=secret)
            for secret in secrets or (SECRET,)
        ]
        self.endpoint = TokenEndpoint(
            self.sts.origin,
            self.find,
            ClientIdentity(clients=clients),
            http_client=http_client or self.sts.http_client(),  # type: ignore[arg-type]
            clock=clock,
            unique=lambda: "unique",
        )

    async def find(self) -> str:
        return self.sts.url

    def ask(self) -> TokenResponse | TokenResponseError:
        return outcome_of(self.endpoint.ask(FIELDS, read_token_response))

    def status(self) -> int:
        """Give what becomes of a request for which there is no answer."""
        with pytest.raises(UnavailableError) as caught:
            self.ask()
        assert "p" * 40 not in caught.value.what
        return caught.value.status


class Silent:
    """A client that gets no answer."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble

    async def post_form(self, *_: Any, **__: Any) -> Any:  # noqa: ANN401
        raise NoReplyError("x: down", problem="down", trouble=self._trouble)


def test_a_token_is_read() -> None:
    here = Scene()
    answer = here.ask()
    assert isinstance(answer, TokenResponse)
    assert answer.access_token == here.sts.issued[0]
    assert dict(here.sts.asked[0].form)["username"] == "u"


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_connection_that_ends_is_no_reason_not_to_ask_again(repeatable: bool) -> None:  # noqa: FBT001
    """One that was kept may end just then; a refresh token is good once."""
    sent: list[Any] = []

    class Noting:
        async def post_form(self, *_: Any, **options: Any) -> Any:  # noqa: ANN401
            sent.append(options["repeatable"])
            raise NoReplyError("x", problem="x", trouble=Trouble.GARBLED)

    asking = Scene(http_client=Noting()).endpoint.ask(
        FIELDS, read_token_response, repeatable=repeatable
    )
    with pytest.raises(NoReplyError):
        outcome_of(asking)
    assert sent == [repeatable]


def test_the_other_secret_is_tried() -> None:
    here = Scene("old" * 12, SECRET)
    assert isinstance(here.ask(), TokenResponse)
    assert here.sts.count == 2


@pytest.mark.parametrize("name", [n for n in names(REFUSALS) if n not in OUR_FAULT])
def test_a_refusal_is_a_value(name: str) -> None:
    here = Scene()
    here.sts.fail(name)
    answer = here.ask()
    assert isinstance(answer, TokenResponseError)
    assert answer.error
    assert "p" * 40 not in answer.detail


@pytest.mark.parametrize(
    "name", [n for n in names(UNUSABLE, REDIRECTS) if n != "expired"]
)
def test_what_is_no_answer_is_told_from_a_refusal(name: str) -> None:
    here = Scene()
    here.sts.fail(name)
    answer = here.ask()
    assert isinstance(answer, TokenResponseError)
    assert answer.error == ("invalid_grant" if name == "error-and-token" else "")
    assert here.sts.count == 1
    assert outcome_of(here.endpoint.probe()) == ()


@pytest.mark.parametrize("name", names(DOWN))
def test_a_server_that_fails_has_a_status(name: str) -> None:
    here = Scene()
    here.sts.fail(name)
    busy = {"429": 503, "503": 503, "504": 504}
    assert here.status() == busy.get(name, 502)


@pytest.mark.parametrize(
    ("trouble", "status"),
    [(Trouble.UNREACHABLE, 502), (Trouble.GARBLED, 502), (Trouble.TIMEOUT, 504)],
)
def test_silence_has_a_status(trouble: Trouble, status: int) -> None:
    here = Scene(http_client=Silent(trouble))
    with pytest.raises(NoReplyError) as caught:
        here.ask()
    assert (caught.value.status, caught.value.trouble) == (status, trouble)


@pytest.mark.parametrize(
    ("error", "status"), [("temporarily_unavailable", 503), ("server_error", 502)]
)
def test_codes_that_are_no_refusals_are_none(error: str, status: int) -> None:
    here = Scene()
    here.sts.fail(refused(error))
    assert here.status() == status


def test_a_server_that_does_not_know_us_is_an_error_in_the_log() -> None:
    here = Scene("wrong" * 8)
    assert here.status() == 502
    lines = outcome_of(here.endpoint.probe())
    assert len(lines) == 1
    assert lines[0].startswith("warning: token endpoint of https://sts.example.com")


def test_being_known_again_is_noticed() -> None:
    here = Scene()
    for error in sorted(OUR_FAULT):
        here.sts.fail(error)
        assert here.status() == 502
        assert outcome_of(here.endpoint.probe())
        assert isinstance(here.ask(), TokenResponse)
        assert outcome_of(here.endpoint.probe()) == ()


def test_words_that_repeat_what_was_sent_are_not_repeated() -> None:
    here = Scene()
    here.sts.fail("echo-as-error")
    answer = here.ask()
    assert isinstance(answer, TokenResponseError)
    assert answer.detail == "[…] u […]"
