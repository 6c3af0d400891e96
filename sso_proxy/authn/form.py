"""
The ``form`` authenticator: people log in with a password on a page of ours.

A login begins with a state in a cookie, like those at providers, and the page posts to
where browsers come back from these: who has not begun it in this browser, or comes from
another site's page, logs nobody in.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

import attrs
from zope.interface import implementer

from sso_proxy.authn.oidc_lost import begin_again, explain_lost
from sso_proxy.authn.password_config import PasswordConfig
from sso_proxy.authn.passwords import Passwords, Refused, build_passwords
from sso_proxy.interfaces import (
    IAuthenticator,
    IClock,
    ILogin,
    ILoginWishes,
    ITools,
)
from sso_proxy.login import Finished, PasswordForm, Wanted, Wishes
from sso_proxy.model import (
    Authenticated,
    Headers,
    NotPresented,
    Outcome,
    Refusal,
    Request,
    Response,
)
from sso_proxy.session import Session
from sso_proxy.specs.http.accept import comes_from_own_page, is_form_submission
from sso_proxy.specs.http.own_origin import own_origin
from sso_proxy.specs.http.parameters import is_form, read_parameter

MOST_FORM: Final = 16384
"""Octets of a form with a password."""

_NOT_PRESENTED: Final = NotPresented()
_NO_STORE: Final = ("cache-control", "no-store")
_LONGEST_TARGET: Final = 500
_SKEW: Final = 60.0
_INSUFFICIENT: Final = "insufficient_user_authentication"


@attrs.frozen(kw_only=True)
class FormConfig(PasswordConfig):
    """
    The ``form`` authenticator's part of the configuration file.

    Attributes:
        title: What people know it by, where they have a choice; unset, its name.
        in_answer: Whether the form is the body of a 401 at the address that somebody
            wanted, beside the challenges of the route's other authenticators, or of a
            403 where these have none; unset, browsers are sent to a page of its own.
    """

    title: str = ""
    in_answer: bool = False


@implementer(IAuthenticator, ILogin, ILoginWishes)
class FormAuthenticator:
    """
    Has people log in with a password, and goes by their sessions.

    Args:
        name: What the configuration calls it.
        config: The options.
        passwords: Knows them.
        clock: The time.
    """

    config_class: ClassVar = FormConfig
    consumes: ClassVar[tuple[str, ...]] = ()
    reads_session: ClassVar = True
    public_keys: tuple[Mapping[str, Any], ...] = ()

    def __init__(
        self, name: str, config: FormConfig, passwords: Passwords, clock: IClock
    ) -> None:
        self._name = name
        self._config = config
        self._passwords = passwords
        self._clock = clock
        self.title = config.title or name

    @classmethod
    def from_config(cls, config: FormConfig, tools: ITools) -> Self:
        """
        Make the authenticator that *config* describes.

        Raises:
            ConfigError: There is no such checker, or no cache.
        """
        passwords = build_passwords(config, tools)
        return cls(tools.name, config, passwords, tools.clock)

    async def authenticate(self, request: Request) -> Outcome:
        """Say whose session it is."""
        session = request.session
        if session is None or not self._is_ours(session):
            return _NOT_PRESENTED
        return Authenticated(session.identity)

    def challenge(self, request: Request) -> None:
        """Say nothing: whoever looks at a page is sent to log in, and no program is."""

    def refusal(self, request: Request, refusal: Refusal) -> None:
        """Say nothing, likewise."""

    def takes_issuer(self, issuer: str) -> bool:
        """Say no: this is no provider."""
        del issuer
        return False

    def check_wishes(self, wishes: Wishes) -> None:
        """
        Check what a route asks for.

        Raises:
            ValueError: A password is not what it wants.
        """
        if wishes.acr_values is not None and not self._is_context(wishes.acr_values):
            problem = "has none that a password is; the option acr says which that is"
            raise ValueError(f"acr_values {problem}")
        if wishes.claims is not None or wishes.resource is not None:
            raise ValueError("claims and resource are for OpenID Connect")
        if wishes.prompt not in (None, ("login",)):
            raise ValueError("prompt can only be 'login', as it is with passwords")

    def lacks(self, session: Session, wishes: Wishes | None) -> Refusal | None:
        """Say which other login is needed if that of *session* is not enough."""
        if wishes is None or wishes.max_age is None:
            return None
        since = session.identity.claims.get("auth_time", 0)
        if since + wishes.max_age + _SKEW >= self._clock.time():
            return None
        return Refusal(error=_INSUFFICIENT, max_age=wishes.max_age)

    async def begin(self, request: Request, wanted: Wanted) -> Response | PasswordForm:
        """Show the form, or send the browser to it."""
        if wanted.acr_values and not self._is_context(wanted.acr_values):
            # Another login would end like the one before, again and again.
            return _refuse(403, "login-context")
        login, headers = request.sessions.logins.begin(
            request, {"by": self._name, "for": wanted.as_json()}
        )
        place = wanted.callback or f"{wanted.endpoints}callback/{self._name}"
        ours = request.head.path.startswith(wanted.endpoints)
        if self._config.in_answer and request.session is None and not ours:
            return PasswordForm(
                action=place,
                login=login,
                user=wanted.login_hint,
                status=401,
                headers=headers,
            )
        location = ("location", f"{place}?login={login}")
        return Response(status=303, reason="login", headers=(location, *headers))

    async def finish(self, request: Request) -> Finished | Response | PasswordForm:
        """
        Show the form, or look at what was typed into it.

        Raises:
            UnavailableError: Nobody can tell now whether a password is right.
            BadMessageError: The form cannot be read.
        """
        head = request.head
        if head.method != "POST":
            given = read_parameter(head.query, "login")
            login = given[0] if len(given) == 1 else ""
            wanted = self._wanted(request, login)
            if wanted is None:
                return self._lost(request, login)
            return self._form(request, login, wanted.login_hint)
        own = comes_from_own_page(head, own_origin(head))
        if not own or not is_form_submission(head):
            return _refuse(403, "login-form-foreign")
        fields = await _read_fields(request)
        if fields is None:
            return _refuse(400, "login-state")
        wanted = self._wanted(request, fields.login)
        if wanted is None:
            return self._lost(request, fields.login)
        return await self._look(request, wanted, fields)

    async def request_object(self, name: str) -> None:
        """Give none."""

    async def _look(
        self, request: Request, wanted: Wanted, fields: "_Fields"
    ) -> Finished | PasswordForm:
        """
        Look at what was typed.

        Raises:
            UnavailableError: Nobody can tell now whether it is right.
        """
        login, user = fields.login, fields.user
        found = await self._passwords.check(request, user, fields.password)
        if isinstance(found, Refused):
            # 200 for a wrong password, as is usual: a 401 would have to come with a
            # challenge, and browsers then open a dialog of their own.
            wait = found.reason == "password-wait"
            return self._form(
                request,
                login,
                user,
                problem="wait" if wait else "wrong",
                status=429 if wait else 200,
                reason=found.reason,
                headers=found.headers,
            )
        identity = self._passwords.identify(found, at=self._clock.time())
        _, headers = request.sessions.logins.take(request, login)
        if len(wanted.target) <= _LONGEST_TARGET:
            headers = request.sessions.logins.finish(request, login, wanted.target)
        return Finished(identity=identity, wanted=wanted, headers=headers)

    def _wanted(self, request: Request, login: str) -> Wanted | None:
        """Give what a login is for that this browser has begun here; it goes on."""
        kept, _ = request.sessions.logins.take(request, login)
        if kept is None or kept.get("by") != self._name or "for" not in kept:
            return None
        return Wanted.from_json(kept["for"])

    def _form(
        self,
        request: Request,
        login: str,
        user: str,
        **more: Any,  # noqa: ANN401
    ) -> PasswordForm:
        place = request.path_asked or request.head.path
        return PasswordForm(action=place, login=login, user=user, **more)

    def _lost(self, request: Request, login: str) -> Response:
        """Answer who comes with a login that is over, or was never begun here."""
        session, lost = request.session, explain_lost(request, login)
        if session is not None and self._is_ours(session):
            target, _ = request.sessions.logins.finished(request, login)
            headers: Headers = (_NO_STORE, ("location", target or "/"))
            return Response(status=303, reason="login-done-before", headers=headers)
        again = begin_again(request, login)
        if again is not None:
            return again
        return _refuse(400, lost.reason)

    def _is_ours(self, session: Session) -> bool:
        return session.identity.authenticator == self._name

    def _is_context(self, wanted: tuple[str, ...]) -> bool:
        return self._config.acr in wanted if self._config.acr else False


@attrs.frozen
class _Fields:
    """
    What came with a form.

    Attributes:
        login: Names the login.
        user: The name that was typed.
        password: The password.
    """

    login: str
    user: str
    password: str = attrs.field(repr=False)


def _refuse(status: int, reason: str) -> Response:
    return Response(status=status, reason=reason, headers=(_NO_STORE,))


async def _read_fields(request: Request) -> _Fields | None:
    """
    Read a form; None if it is none of ours.

    Raises:
        BadMessageError: It cannot be read, or is too long.
    """
    if request.body is None or not is_form(request.head):
        return None
    # What is no ASCII is escaped, in the forms that browsers send.
    text = (await request.body.read(MOST_FORM)).decode("latin-1")
    given = [read_parameter(text, name) for name in ("login", "user", "password")]
    if any(len(values) != 1 for values in given):
        return None
    return _Fields(*(values[0] for values in given))
