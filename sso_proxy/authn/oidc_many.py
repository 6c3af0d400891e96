"""
The ``oidc_discovery`` authenticator: many OpenID Providers, chosen when people log in.

Each has an ``oidc`` authenticator of its own, to which everything is passed on that
belongs to one provider.  The state of a login names the provider at which it began, and
that one's authenticator alone takes its answer: an answer of another is one to nothing
that was begun (mix-up).
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.authn.oidc import OidcAuthenticator
from sso_proxy.authn.oidc_callback import (
    FRAGMENT_FIELD,
    lacks_answer,
    read_callback,
)
from sso_proxy.authn.oidc_lost import begin_again, explain_lost
from sso_proxy.authn.oidc_many_config import OidcDiscoveryConfig
from sso_proxy.authn.oidc_many_lookup import Lookups
from sso_proxy.authn.oidc_many_providers import NotHereError, Providers
from sso_proxy.authn.oidc_wishes import check_wishes
from sso_proxy.errors import TokenError, UnavailableError
from sso_proxy.interfaces import (
    IAuthenticator,
    IHealth,
    ILogin,
    ILoginWishes,
    ILogout,
    INoted,
    IRefreshes,
    ITools,
    IWatched,
)
from sso_proxy.login import (
    Ended,
    Finished,
    InFragment,
    LogoutNotice,
    Question,
    Wanted,
    Watch,
    Wishes,
)
from sso_proxy.model import (
    HeaderChallenge,
    Headers,
    NotPresented,
    Outcome,
    Refusal,
    Request,
    Response,
)
from sso_proxy.session import Opened, Session
from sso_proxy.specs.http.parameters import read_parameter
from sso_proxy.specs.jose.strict import decode_base64url, read_json_object
from sso_proxy.specs.oidc.response import AnswerError

_log = Logger()

PROVIDER: Final = "provider"
"""In a session: the issuer whose authenticator began it."""

_NO_STORE: Final[Headers] = (("cache-control", "no-store"),)
_NOT_PRESENTED: Final = NotPresented()
_MAX_TOKEN: Final = 65536


@implementer(
    IAuthenticator,
    ILogin,
    ILoginWishes,
    ILogout,
    IHealth,
    INoted,
    IRefreshes,
    IWatched,
)
class OidcDiscovery:
    """
    Has people log in at one of many providers, and goes by their sessions.

    Args:
        config: The options.
        tools: What may be used of the proxy.

    Raises:
        ConfigError: Files of providers cannot be used: all that is wrong.
    """

    config_class: ClassVar = OidcDiscoveryConfig
    consumes: ClassVar[tuple[str, ...]] = ()
    reads_session: ClassVar = True

    def __init__(self, config: OidcDiscoveryConfig, tools: ITools) -> None:
        self._name = tools.name
        self._providers = Providers(config, tools)
        self._lookups = Lookups(config.lookup_hosts, self._providers.stranger)
        self._asks = bool(config.lookup_hosts or config.allowed_patterns)
        self._choices = tuple(
            (each.title or issuer.partition("://")[2], issuer)
            for issuer, each in self._providers.files.providers.items()
        ) + tuple((name.partition("://")[2], name) for name in config.allowed_issuers)
        self._in_fragments = self._providers.in_fragments
        self.title = config.title or tools.name
        self.notes = tuple(
            f"authenticator.{tools.name}: {place}: {note}"
            for place, note in self._providers.files.notes
        )
        self.public_keys: tuple[Mapping[str, Any], ...] = self._providers.public_keys
        self.relies_on_notices = self._providers.relies_on_notices

    @classmethod
    def from_config(cls, config: OidcDiscoveryConfig, tools: ITools) -> Self:
        """
        Make the authenticator that *config* describes.

        Raises:
            ConfigError: Files of providers cannot be used: all that is wrong.
        """
        made = cls(config, tools)
        tools.spawn(made.warm())
        return made

    async def authenticate(self, request: Request) -> Outcome:
        """
        Say whose session it is.

        Raises:
            UnavailableError: Its tokens have expired, and no new ones can be had.
        """
        session = request.session
        if session is None or session.identity.authenticator != self._name:
            return _NOT_PRESENTED
        login = await self._of_session(session)
        return _NOT_PRESENTED if login is None else await login.authenticate(request)

    def challenge(self, request: Request) -> HeaderChallenge | None:
        """Say nothing: whoever looks at a page is sent to log in, and no program is."""
        del request
        return None

    def refusal(self, request: Request, refusal: Refusal) -> HeaderChallenge | None:
        """Say nothing, likewise."""
        del request, refusal
        return None

    async def refresh(
        self, request: Request, session: Session, min_age: float
    ) -> Opened:
        """
        Get new tokens if those of *session* are older.

        Raises:
            UnavailableError: There are none, and it goes on with those that it has.
        """
        login = await self._of_session(session)
        if login is None:
            return Opened(session)
        return await login.refresh(request, session, min_age)

    def takes_issuer(self, issuer: str) -> bool:
        """Say whether people may log in at *issuer*; asks nobody."""
        return self._providers.allows(issuer)

    def check_wishes(self, wishes: Wishes) -> None:
        """
        Check what a route asks for.

        Raises:
            ValueError: No provider can be asked that.
        """
        check_wishes(wishes)

    def lacks(self, session: Session, wishes: Wishes | None) -> Refusal | None:
        """Say which other login is needed if that of *session* is not enough."""
        login = self._providers.ready(self._issuer_of(session) or "")
        if login is None:  # gone since the session was found good
            return Refusal(error="invalid_token")
        return login.lacks(session, wishes)

    async def begin(self, request: Request, wanted: Wanted) -> Response | Question:
        """
        Send the browser to the provider that is wanted, or ask which that is.

        Raises:
            UnavailableError: The provider is down, or nobody knows where it is.
        """
        try:
            wanted = await self._choose(request, wanted)
            if not wanted.issuer:
                return Question(choices=self._choices, typed=self._asks)
            login = await self._providers.find(
                wanted.issuer,
                may_register=wanted.own,
                address=request.client.address,
            )
        except NotHereError as e:
            _log.info("Request {id}: {why}", id=request.id, why=e.detail)
            if wanted.account and e.status == 403:
                problem = "unknown" if e.reason == "unknown" else "unusable"
                return Question(
                    choices=self._choices, typed=self._asks, problem=problem
                )
            return Response(status=e.status, reason=e.reason, headers=_NO_STORE)
        return await login.begin(request, wanted)

    async def finish(self, request: Request) -> Finished | Response | InFragment:
        """
        Answer a browser that came back, by the provider at which it began.

        Raises:
            UnavailableError: The provider is down.
        """
        if self._in_fragments and lacks_answer(request):
            return InFragment(field=FRAGMENT_FIELD)
        try:
            state, issuer = await self._read_state(request)
        except AnswerError as e:
            _log.info("Request {id}: {why}", id=request.id, why=e.detail)
            return Response(status=400, reason=e.reason, headers=_NO_STORE)
        session = request.session
        if issuer is None and session is not None:
            issuer = self._issuer_of(session)
        login = None if issuer is None else await self._known(issuer)
        if login is None or issuer is None:
            again = begin_again(request, state)
            if again is not None:
                return again
            lost = explain_lost(request, state)
            _log.info("Request {id}: {why}", id=request.id, why=lost.detail)
            return Response(status=400, reason=lost.reason, headers=_NO_STORE)
        finished = await login.finish(request)
        if not isinstance(finished, Finished):
            return finished
        return attrs.evolve(finished, data={**finished.data, PROVIDER: issuer})

    async def request_object(self, name: str) -> Response | None:
        """Give a signed request that a provider fetches; all are in one place."""
        for issuer in self._providers.files.providers:
            login = self._providers.ready(issuer)
            if login is not None:
                return await login.request_object(name)
        return None

    async def end(self, request: Request, session: Session, back: str) -> Ended:
        """Give back what the provider has given for *session*."""
        try:
            login = await self._of_session(session)
        except UnavailableError as e:
            return Ended(detail=e.what)
        if login is None:
            return Ended()
        ended = await login.end(request, session, back)
        kept = {PROVIDER: self._issuer_of(session), "kept": dict(ended.kept)}
        return attrs.evolve(ended, kept=kept)

    def confirm(self, request: Request, kept: Mapping[str, Any]) -> bool:
        """Say whether *request* answers what `end` began."""
        login = self._providers.ready(kept.get(PROVIDER, ""))
        return login is not None and login.confirm(request, kept.get("kept", {}))

    async def front_channel(self, request: Request) -> LogoutNotice | Response:
        """Read what a provider has a browser ask; ``iss`` says which provider."""
        issuers = read_parameter(request.head.query, "iss")
        login = await self._known(issuers[0]) if len(issuers) == 1 else None
        if login is None:
            return self._no_notice(request, "iss is none of our providers")
        return await login.front_channel(request)

    async def back_channel(self, request: Request) -> LogoutNotice | Response:
        """
        Read what a provider posts.

        Raises:
            UnavailableError: Nobody can tell now.
        """
        text = ""
        if request.body is not None:
            form = (await request.body.read(_MAX_TOKEN)).decode("latin-1")
            text = "".join(read_parameter(form, "logout_token")[:1])
        issuer = _unproven_issuer(text)
        login = None if issuer is None else await self._known(issuer)
        if login is None:
            return self._no_notice(request, "the token is of none of our providers")
        return await login.back_channel(request)

    async def settled(self, notice: LogoutNotice) -> bool:
        """Note that what *notice* says is done; False if it was done before."""
        login = await self._known(notice.issuer)
        return login is not None and await login.settled(notice)

    async def watch(self, session: Session | None) -> Watch | None:
        """Say how a page watches *session*: its provider says so."""
        login = None if session is None else await self._of_session(session)
        return None if login is None else await login.watch(session)

    async def warm(self) -> None:
        """Register with the providers in files with which we are not yet."""
        await self._providers.prepare()

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing; it is no reason to send requests elsewhere."""
        lines: tuple[str, ...] = ()
        for issuer in self._providers.files.providers:
            login = self._providers.ready(issuer)
            if login is not None:
                lines += await login.probe()
        return lines

    async def _choose(self, request: Request, wanted: Wanted) -> Wanted:
        """
        Say at which provider it is to be, if that is known.

        Raises:
            NotHereError: What was typed does not lead to one that is allowed.
        """
        if wanted.issuer:
            return wanted
        typed = wanted.account.strip()
        if not typed:
            only = self._choices[0][1] if len(self._choices) == 1 else ""
            return wanted if self._asks else attrs.evolve(wanted, issuer=only)
        if any(typed == issuer for _, issuer in self._choices):
            return attrs.evolve(wanted, issuer=typed)
        try:
            lookup = self._lookups.read(typed)
        except NotHereError:
            if not self._providers.allows(typed):
                raise
            return attrs.evolve(wanted, issuer=typed)
        address = request.client.address
        issuer = await self._lookups.find(
            lookup, lambda: self._providers.spend(address)
        )
        if not self._providers.allows(issuer):
            raise NotHereError(
                "login-issuer", "the issuer of the account is not allowed"
            )
        hint = lookup.resource.removeprefix("acct:")
        about = hint if hint != lookup.resource else ""
        return attrs.evolve(wanted, issuer=issuer, login_hint=about)

    async def _read_state(self, request: Request) -> tuple[str | None, str | None]:
        """
        Give the state of an answer, and the issuer at which that login began.

        Nothing of it is believed for that: the issuer's own authenticator checks all.

        Raises:
            AnswerError: It cannot be read.
            UnavailableError: Nobody can tell now whose it is.
        """
        _, fields = await read_callback(request)
        given = dict(fields)
        state = given.get("state")
        if "response" in given:
            issuer = _unproven_issuer(given["response"])
            if issuer is None:
                issuer = await self._find_issuer(request, given["response"])
            return state, issuer
        kept, _ = request.sessions.logins.take(request, state or "")
        return state, None if kept is None else kept.get("iss")

    async def _find_issuer(self, request: Request, response: str) -> str | None:
        """
        Give the issuer of an encrypted answer: one at which this browser has begun.

        Raises:
            UnavailableError: It may be one whose keys cannot be had now.
        """
        begun = request.sessions.logins.known(request)
        names = [kept["iss"] for kept in begun if kept.get("by") == self._name]
        down: UnavailableError | None = None
        for issuer in dict.fromkeys(names):
            login = await self._known(issuer)
            try:
                if login is not None and await login.opens(response):
                    return str(issuer)
            except UnavailableError as e:
                down = e
        if down is not None:
            raise down
        return None

    def _issuer_of(self, session: Session) -> str | None:
        if session.identity.authenticator != self._name:
            return None
        issuer = session.data.get(PROVIDER)
        return issuer if isinstance(issuer, str) else None

    async def _of_session(self, session: Session) -> OidcAuthenticator | None:
        """Give the authenticator that began *session*; None if it is gone."""
        issuer = self._issuer_of(session)
        if issuer is None:
            return None
        ready = self._providers.ready(issuer)
        return ready if ready is not None else await self._known(issuer)

    async def _known(self, issuer: str) -> OidcAuthenticator | None:
        """Give the authenticator of an issuer that we have to do with already."""
        try:
            return await self._providers.find(issuer)
        except NotHereError:
            return None

    def _no_notice(self, request: Request, why: str) -> Response:
        _log.info("Request {id}: {why}", id=request.id, why=why)
        return Response(status=400, reason="logout-refused", headers=_NO_STORE)


def _unproven_issuer(token: str) -> str | None:
    """Give the ``iss`` that a token claims, which anybody can write."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        issuer = read_json_object(decode_base64url(parts[1].encode("latin-1"))).get(
            "iss"
        )
    except (TokenError, ValueError):
        return None
    return issuer if isinstance(issuer, str) else None
