"""
A decision point: who asks by AuthZEN hears what our rules say.

It is what a route leads to, as a backend would be: who may ask is for that route's
authenticators, conditions and policies to say.
"""

from typing import Any, Final

from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.server import Request as WebRequest

from sso_proxy.endpoints.decision_questions import (
    build_evaluated,
    read_identity,
    read_request,
)
from sso_proxy.interfaces import IClock, ILocalPolicy
from sso_proxy.model import RequestHead
from sso_proxy.specs.authzen.server import (
    answer_mistake,
    build_answer,
    build_answers,
    build_metadata,
    read_evaluation,
    read_evaluations,
)
from sso_proxy.specs.authzen.values import (
    EVALUATION_PATH,
    EVALUATIONS_PATH,
    JSON_TYPE,
    WELL_KNOWN,
    AuthzenError,
    Evaluated,
    Evaluation,
)
from sso_proxy.specs.http.own_origin import own_origin

_log = Logger()

MOST: Final = 262144
"""Octets of a request."""

_TEXT: Final = "text/plain; charset=utf-8"


class DecisionPoint(Resource):
    """
    Answers questions by one policy.

    Args:
        name: What the configuration calls the policy.
        policy: It.
        clock: The time.
    """

    isLeaf = True

    def __init__(self, name: str, policy: ILocalPolicy, clock: IClock) -> None:
        super().__init__()
        self._name = name
        self._policy = policy
        self._clock = clock

    def render(self, request: WebRequest) -> bytes | int:
        """Answer *request*."""
        caller: Any = request.caller  # type: ignore[attr-defined]  # a HostedRequest
        head: RequestHead = caller.request.head
        request.setHeader(b"cache-control", b"no-store")
        if head.path == WELL_KNOWN or head.path.startswith(f"{WELL_KNOWN}/"):
            return _describe(request, head)
        if head.path.endswith(EVALUATION_PATH):
            answer = self._answer_one
        elif head.path.endswith(EVALUATIONS_PATH):
            answer = self._answer_many
        else:
            return _refuse(request, 404, "nothing is asked here")
        if head.method != "POST":
            return _refuse(request, 405, "questions are posted", "POST")
        assert request.content is not None  # noqa: S101 - it was read
        body = request.content.read(MOST + 1)
        if len(body) > MOST:
            return _refuse(request, 413, "the content is too long")
        try:
            return _send(request, answer(_content_type(head), body, caller.request.id))
        except AuthzenError as e:
            return _refuse(request, 400, e.detail)

    def _answer_one(self, content_type: str | None, body: bytes, id_: str) -> bytes:
        """Answer one question."""
        return build_answer(self._evaluate(read_evaluation(content_type, body), id_))

    def _answer_many(self, content_type: str | None, body: bytes, id_: str) -> bytes:
        """Answer several questions, up to one that settles them all."""
        batch = read_evaluations(content_type, body)
        if isinstance(batch, Evaluation):
            return build_answer(self._evaluate(batch, id_))
        answers: list[Evaluated] = []
        for item in batch.items:
            answers.append(self._evaluate_item(item, id_))
            if batch.ends_at(answers[-1]):
                break
        return build_answers(answers)

    def _evaluate_item(self, item: Evaluation | AuthzenError, id_: str) -> Evaluated:
        """Answer one of several questions, or say what is wrong with it."""
        if isinstance(item, AuthzenError):
            return answer_mistake(item)
        try:
            return self._evaluate(item, id_)
        except AuthzenError as e:
            return answer_mistake(e)

    def _evaluate(self, asked: Evaluation, id_: str) -> Evaluated:
        """
        Decide.

        Raises:
            AuthzenError: There is no such request.
        """
        identity = read_identity(asked)
        request = read_request(asked, id_, self._clock.time())
        decision = self._policy.check(identity, request)
        _log.info(
            "Request {id}: asked, policy {name} says {effect}: {why}",
            id=id_,
            name=self._name,
            effect=decision.effect.value,
            why=" ".join(decision.reasons),
        )
        return build_evaluated(decision, asked)


def _describe(request: WebRequest, head: RequestHead) -> bytes | int:
    """Say where questions are taken."""
    if head.method not in {"GET", "HEAD"}:
        return _refuse(request, 405, "this is to be read", "GET, HEAD")
    tenant = head.path.removeprefix(WELL_KNOWN).rstrip("/")
    body = _send(request, build_metadata(f"{own_origin(head)}{tenant}"))
    if head.method == "GET":
        return body
    # Twisted sends none either, but writes a line into the log.
    request.setHeader(b"content-length", str(len(body)).encode("ascii"))
    request.finish()
    return NOT_DONE_YET


def _content_type(head: RequestHead) -> str | None:
    """Give the media type; of two of them, both, which is none."""
    types = head.values("content-type")
    return ", ".join(types) if types else None


def _send(request: WebRequest, body: bytes) -> bytes:
    """Answer with JSON."""
    request.setHeader(b"content-type", JSON_TYPE.encode("ascii"))
    return body


def _refuse(request: WebRequest, status: int, why: str, allow: str = "") -> bytes:
    """Say why there is no answer."""
    request.setResponseCode(status)
    if allow:
        request.setHeader(b"allow", allow.encode("ascii"))
    request.setHeader(b"content-type", _TEXT.encode("ascii"))
    return f"{why}\n".encode()
