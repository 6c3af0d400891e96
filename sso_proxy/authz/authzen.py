"""Policies that a decision point decides that speaks AuthZEN."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import attrs
from zope.interface import implementer

from sso_proxy.authz.authzen_config import AuthzenConfig
from sso_proxy.authz.authzen_question import AuthzenQuestions
from sso_proxy.authz.logins import is_enough
from sso_proxy.authz.remote_policy import (
    DOWN,
    Answer,
    PolicyAnswerError,
    Question,
    RemotePolicy,
    UnfitError,
)
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IHealth, IPolicy, ITools
from sso_proxy.model import Decision, Effect, Identity, Request
from sso_proxy.net.http_client import HttpReply
from sso_proxy.net.published import Fetched, Published, ttl
from sso_proxy.specs.authzen.client import build_evaluation, read_decision
from sso_proxy.specs.authzen.meaning import (
    SESSION_TERMINATION,
    STEP_UP,
    Obligation,
    StepUp,
    read_obligations,
    read_reasons,
    read_step_up,
)
from sso_proxy.specs.authzen.metadata import (
    MAX_METADATA,
    metadata_url,
    read_metadata,
)
from sso_proxy.specs.authzen.values import JSON_TYPE, AuthzenError, Evaluated

_DENIED: Final = "denied"
_END_SESSION: Final = "end-session"
_STEP_UP: Final = "login"
"""The answer is no, and another login would change that."""
_OBLIGED: Final = "login-obliged"
"""The answer is yes, after another login."""
_USELESS: Final = "login-useless"
"""The login is what was asked for, and the answer is no again."""


@implementer(IPolicy, IHealth)
class AuthzenPolicy(RemotePolicy):
    """
    Asks an AuthZEN decision point.

    Args:
        config: The options.
        tools: What may be used.

    Raises:
        ConfigError: A file cannot be used, or what is to be sent is not there.
    """

    config_class: ClassVar[Any] = AuthzenConfig
    config: AuthzenConfig

    def __init__(self, config: AuthzenConfig, tools: ITools) -> None:
        super().__init__(config, tools)
        self._questions = AuthzenQuestions(config)
        self._metadata: Published[str] | None = None
        if config.endpoint is None:
            what = f"metadata of {config.url}"
            self._metadata = Published(what, self._fetch, tools.clock)

    async def decide(self, identity: Identity, request: Request) -> Decision:
        """
        Give what the decision point says, or said just now.

        Raises:
            UnavailableError: As `RemotePolicy.decide` does.
        """
        if self._metadata is not None and self._metadata.current() is None:
            try:
                await self._metadata.get()
            except UnavailableError as e:
                raise attrs.evolve(e, status=503, reason=DOWN) from e
        decision = await super().decide(identity, request)
        if decision.effect is not Effect.STEP_UP:
            return decision
        return _after_login(decision, identity, request)

    def build(self, identity: Identity, request: Request) -> Question:
        """
        Ask whether the subject may use this method on this route.

        Raises:
            UnfitError: Something cannot be told to others.
        """
        endpoint = self.config.endpoint
        if self._metadata is not None:
            endpoint = self._metadata.current()
        assert endpoint is not None  # noqa: S101 - `decide` has waited for it
        question = Question(
            url=endpoint,
            body=self._body(identity, request),
            content_type=JSON_TYPE,
            accept=JSON_TYPE,
        )
        if not self._questions.changing:
            return question
        timeless = self._body(identity, attrs.evolve(request, time=None))
        return attrs.evolve(question, key=Question(url=endpoint, body=timeless).key)

    def _body(self, identity: Identity, request: Request) -> bytes:
        """Write the question."""
        try:
            return build_evaluation(self._questions.build(identity, request))
        except ValueError as e:
            raise UnfitError(str(e)) from None

    def read(self, question: Question, reply: HttpReply) -> Answer:  # noqa: ARG002
        """
        Read the answer.

        Raises:
            PolicyAnswerError: It is none.
        """
        try:
            return self._answer(read_decision(reply.media_type, reply.body))
        except AuthzenError as e:
            raise PolicyAnswerError(e.detail) from None

    async def probe(self) -> tuple[str, ...]:
        """Say what is wrong, as far as is known."""
        lines = () if self._metadata is None else self._metadata.health()
        return (*lines, *await super().probe())

    def _answer(self, said: Evaluated) -> Answer:
        """Say what an answer means."""
        obligations = read_obligations(said.context)
        logins = [each for each in obligations if self._is_login(each)]
        others = [each for each in obligations if each not in logins[:1]]
        todo = tuple(map(self._translate, others))
        why = () if said.decision else read_reasons(said.context)
        login = None
        if logins:
            login = self._login(logins[0].properties)
        elif said.decision:
            return Answer(Decision(effect=Effect.PERMIT, obligations=todo))
        else:
            login = self._login(said.context)
        if login is None:
            return Answer(
                Decision(effect=Effect.DENY, obligations=todo, reasons=(_DENIED,)),
                why=why,
            )
        decision = Decision(
            effect=Effect.STEP_UP,
            obligations=todo,
            reasons=(_OBLIGED if said.decision else _STEP_UP,),
            acr_values=login.acr_values,
            max_age=login.max_age,
        )
        return Answer(decision, keep=False, why=why)

    def _is_login(self, obligation: Obligation) -> bool:
        """Say whether it asks for another login, and nobody said what to do then."""
        known = self.obligations.knows
        return obligation.type == STEP_UP and not (
            known(obligation.id) or known(STEP_UP)
        )

    def _login(self, members: Mapping[str, Any]) -> StepUp | None:
        """Give the login that would be enough; None if there is none to ask for."""
        found = read_step_up(members)
        if found is None:
            return None
        acr_values = found.acr_values or tuple(
            dict.fromkeys(
                acr
                for amr in found.amr_values
                for acr in self.config.acr_for_amr.get(amr, ())
            )
        )
        if not acr_values and (found.amr_values or found.max_age is None):
            return None
        return attrs.evolve(found, acr_values=acr_values)

    def _translate(self, obligation: Obligation) -> tuple[str, Mapping[str, Any]]:
        """Say an obligation in our words: by its id, or else by its type."""
        known = self.obligations.knows
        if not known(obligation.id):
            if known(obligation.type):
                return self.obligations.translate(
                    obligation.type, obligation.properties
                )
            if obligation.type == SESSION_TERMINATION:
                return _END_SESSION, {}
        return self.obligations.translate(obligation.id, obligation.properties)

    async def _fetch(self) -> Fetched[str]:
        """
        Fetch the decision point's metadata.

        Raises:
            UnavailableError: There is none that can be used.
        """
        url = self.config.url
        assert url is not None  # noqa: S101 - or there is no metadata
        reply = await self.access.http_client.get(
            metadata_url(url),
            {"Accept": JSON_TYPE},
            max_bytes=MAX_METADATA,
            within=self.access.within,
            tls=self.access.tls,
        )
        if reply.status != 200:
            raise UnavailableError(f"status {reply.status}")
        try:
            endpoint = read_metadata(url, reply.media_type, reply.body)
        except AuthzenError as e:
            raise UnavailableError(e.detail) from None
        return Fetched(endpoint, ttl(reply))


def _after_login(decision: Decision, identity: Identity, request: Request) -> Decision:
    """Say what comes of asking for another login, which may have happened already."""
    if not is_enough(decision.acr_values, decision.max_age, identity, request):
        return decision
    plain = attrs.evolve(decision, acr_values=(), max_age=None)
    if decision.reasons == (_OBLIGED,):
        return attrs.evolve(plain, effect=Effect.PERMIT, reasons=())
    # Else the browser would go to and fro between us and the login for ever.
    return attrs.evolve(plain, effect=Effect.DENY, reasons=(_USELESS,))
