"""A security token service is asked once, and what is wrong with us is told."""

from typing import Any

import pytest
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from sso_proxy.errors import UnavailableError
from sso_proxy.model import WARNING
from sso_proxy.net.trust_service import TrustAccess, TrustService
from sso_proxy.specs.wstrust.answer import Issued, TrustAnswerError
from sso_proxy.specs.wstrust.fault import Blame, SoapFaultError
from sso_proxy.specs.wstrust.request import TokenRequest
from sso_proxy.testing import outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import NOW
from tests.support.sts import TokenServer
from tests.support.trust_scene import always, assertion, fault, issued

REQUEST = TokenRequest(
    endpoint="https://sts.example.com/", soap="1.2", message_id="urn:uuid:1", now=NOW
)


class TrustServiceTests(TestCase):
    def setUp(self) -> None:
        self.server = TokenServer()
        access = TrustAccess(url=self.server.url, authorization="Basic abc")
        client: Any = self.server.http_client()
        self.service = TrustService(access, client, SettableClock())

    def ask(self, content: str | bytes, code: int = 200) -> Any:  # noqa: ANN401
        self.server.said = always(content, code)
        return outcome_of(self.service.ask(REQUEST))

    def test_a_token_is_given(self) -> None:
        assert isinstance(self.ask(issued(assertion())), Issued)
        assert self.server.asked[-1].headers["authorization"] == "Basic abc"

    def test_a_refusal_is_given(self) -> None:
        found = self.ask(fault("t:InvalidScope"), 400)
        assert isinstance(found, SoapFaultError)
        assert found.blame is Blame.TARGET

    def test_long_words_of_a_reason_are_hidden(self) -> None:
        """Some services repeat the token."""
        secret = "x" * 40
        found = self.ask(fault("t:RequestFailed", f"bad token {secret}"), 400)
        assert found.reason == "bad token […]"

    def test_what_was_sent_is_hidden_in_what_is_said(self) -> None:
        self.server.said = always(fault("t:RequestFailed", "s3cret-token? no"), 400)
        found = outcome_of(self.service.ask(REQUEST, ["s3cret-token", "no"]))
        assert isinstance(found, SoapFaultError)
        assert found.reason == "[…]? no"

    def test_success_without_its_status_is_none(self) -> None:
        found = self.ask(issued(assertion()), 400)
        assert isinstance(found, TrustAnswerError)
        assert found.detail == "status 400, and no fault"

    def test_a_strange_answer_is_told_from_an_outage(self) -> None:
        assert isinstance(self.ask(b"<x/>"), TrustAnswerError)
        with pytest.raises(UnavailableError):
            self.ask(b"<x/>", 500)

    def test_a_request_that_is_not_taken_is_an_error_in_the_log_once_a_minute(
        self,
    ) -> None:
        with capturedLogs() as events:
            for _ in range(2):
                self.ask(fault("t:BadRequest", "what?"), 400)
            self.ask(issued(assertion()))
            self.ask(fault("t:BadRequest", "what?"), 400)
        (event,) = events
        assert event["problem"] == "Sender/BadRequest: what?"
        (line,) = outcome_of(self.service.probe())
        assert line.startswith(f"{WARNING}token service at {self.server.url}: Sender")
        self.ask(issued(assertion()))
        assert outcome_of(self.service.probe()) == ()

    def test_that_we_are_not_known_is_an_error_in_the_log(self) -> None:
        with capturedLogs() as events, pytest.raises(UnavailableError) as caught:
            self.ask(b"", 401)
        assert caught.value.status == 502
        assert len(events) == 1
