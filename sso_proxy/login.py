"""Logins with a browser, as values."""

from collections.abc import Mapping
from typing import Any, Self

import attrs

from sso_proxy.model import Headers, Identity


@attrs.frozen(kw_only=True)
class Wishes:
    """
    What a route asks of logins, instead of what their authenticator asks for.

    Attributes:
        acr_values: Authentication contexts, of which one is needed, the best first.
        max_age: Seconds that may have passed since the user authenticated.
        prompt: What the provider shows.
        login_hint: Who is going to log in.
        ui_locales: Languages, the best first.
        claims: Single claims (OpenID Connect Core section 5.5).
        resource: What access tokens are for (RFC 8707).

    Each is None where the route says nothing.
    """

    acr_values: tuple[str, ...] | None = None
    max_age: int | None = None
    prompt: tuple[str, ...] | None = None
    login_hint: str | None = attrs.field(default=None, repr=False)
    ui_locales: tuple[str, ...] | None = None
    claims: Mapping[str, Any] | None = None
    resource: tuple[str, ...] | None = None


@attrs.frozen(kw_only=True)
class Wanted:
    """
    What somebody who logs in is to get, and what for.

    Attributes:
        target: Path and query on the same host to go on to; checked already.
        acr_values: Authentication contexts, of which one is needed, the best first;
            empty if any will do.
        max_age: Seconds that may have passed since the user authenticated, or None.
        restore: Names the body of the request to *target* that was kept; empty if
            there was none.
        login_hint: Who logs in, if that is known.
        endpoints: Where our endpoints are on that host; not kept.
        callback: The path on that host at which the browser comes back, if that is not
            below *endpoints*; not kept.
        issuer: The provider at which it is to be, where there are several; empty if
            nobody has said.  Not kept.
        account: What somebody has typed to say where they log in; not kept.
        anywhere: Whether nobody has said where to go on; not kept.
        own: Whether a page of ours, or somebody with their own browser, began it; else
            it may be any page of the Internet.  Not kept.
        wishes: What the route of *target* asks for; None if it says nothing.  Not kept.
        silent_for: Issuer and subject of the only user whom it is for, in a frame that
            nobody looks at: the provider must not ask anybody anything.  None:
            whoever logs in, as always.
    """

    target: str
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None
    restore: str = ""
    login_hint: str = attrs.field(default="", repr=False)
    endpoints: str = attrs.field(default="/.sso/", eq=False)
    callback: str = attrs.field(default="", eq=False)
    issuer: str = attrs.field(default="", eq=False)
    account: str = attrs.field(default="", eq=False, repr=False)
    anywhere: bool = attrs.field(default=False, eq=False)
    own: bool = attrs.field(default=False, eq=False)
    wishes: Wishes | None = attrs.field(default=None, eq=False)
    silent_for: tuple[str, str] | None = attrs.field(default=None, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` reads; only what differs from the defaults."""
        every: dict[str, Any] = {
            "acr": list(self.acr_values) or None,
            "age": self.max_age,
            "body": self.restore or None,
            "hint": self.login_hint or None,
            "silent": None if self.silent_for is None else list(self.silent_for),
        }
        kept = {name: value for name, value in every.items() if value is not None}
        return {"to": self.target, **kept}

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        """Read what `as_json` gave, and nobody has changed since."""
        silent = members.get("silent")
        return cls(
            target=members["to"],
            acr_values=tuple(members.get("acr", ())),
            max_age=members.get("age"),
            restore=members.get("body", ""),
            login_hint=members.get("hint", ""),
            silent_for=None if silent is None else (silent[0], silent[1]),
        )


@attrs.frozen(kw_only=True)
class Question:
    """
    Somebody has to say at which provider they log in.

    Attributes:
        choices: What each is called, and its issuer.
        typed: Whether an account or a URL may be typed instead.
        problem: What was wrong with the last one: ``unknown``, ``unusable``; or empty.
        openid: Whether it is an OpenID that is typed, which browsers know by the name
            of the form's field.
        status: The answer's status, if nothing was wrong; else it is 400.
    """

    choices: tuple[tuple[str, str], ...] = ()
    typed: bool = False
    problem: str = ""
    openid: bool = False
    status: int = 200


@attrs.frozen(kw_only=True)
class FormAway:
    """
    A browser has to post something to a provider: it is too long for a URL.

    Attributes:
        action: The provider's URL, https or http.
        fields: What is posted, in order; no value has a line end.
        headers: Fields for the answer.
    """

    action: str
    fields: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    headers: Headers = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True)
class OpenIdShown:
    """
    Somebody has proved whose an OpenID is, and is told so: that is all.

    Attributes:
        identifier: It, with what tells its owners from each other.
        known: Whether they wanted to see it; else they wanted to log in, and nobody
            here has it.
        again: Path and query on the same host where another one can be tried.
        headers: Fields for the answer.
    """

    identifier: str
    known: bool
    again: str = "/"
    headers: Headers = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True)
class Finished:
    """
    Somebody has logged in.

    Attributes:
        identity: Who.
        data: What to keep in the session, in the types of JSON.  A secret.
        wanted: What was wanted when it began.
        headers: Fields for the answer, such as those that take away what was kept of
            the login in the browser.
    """

    identity: Identity
    data: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    wanted: Wanted
    headers: Headers = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True)
class InFragment:
    """
    The answer to a login is where only a page can read it: behind the ``#`` of the URL.

    Attributes:
        field: The name of the form field by which the page sends it on.
    """

    field: str


@attrs.frozen(kw_only=True)
class Ended:
    """
    What was done at a provider for somebody who logs out.

    Attributes:
        url: Where the browser has to go so that they are logged out there, too; empty
            if the provider has nothing for that.
        revoked: Whether it has taken our tokens back; False if nobody knows, None if
            it was not asked.
        kept: What `ILogout.confirm` needs when the browser comes back, in the types of
            JSON.  A secret.
        detail: Why *revoked* is False, for the log.
    """

    url: str = attrs.field(default="", repr=False)
    revoked: bool | None = None
    kept: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    detail: str = ""


@attrs.frozen(kw_only=True)
class LogoutNotice:
    """
    A provider says that somebody has logged out there.

    Attributes:
        issuer: Whose sessions end.
        subject: The user; None if that is not said: *sid* is, then.
        sid: The session at the provider; None if all sessions of *subject* end.  Both
            None: the browser's own, if the provider has never named it.
        mark: What `ILogout.settled` goes by; empty if there is nothing to note.
        frames: Origins of the provider whose pages may frame the answer.
    """

    issuer: str
    subject: str | None = None
    sid: str | None = None
    mark: str = ""
    frames: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Watch:
    """
    How a page learns that somebody's session at the provider is another one.

    Attributes:
        url: The provider's frame (``check_session_iframe``).
        origin: Its origin, as browsers write it.
        client_id: Who we are there.
        state: The ``session_state`` of the login; empty without one.
        interval: Seconds from one question to the next.
        frames: Origins that a silent login goes through.
    """

    url: str
    origin: str
    client_id: str
    state: str = attrs.field(default="", repr=False)
    interval: float = 10.0
    frames: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Account:
    """
    Somebody whose password was right.

    Attributes:
        subject: Unique among the accounts of its checker, and always the same for one
            account, however its name was typed.
        claims: What is known of the account: groups, for example.
    """

    subject: str
    claims: Mapping[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.frozen
class Unproved:
    """
    The password was wrong, but the account is known.

    Tries are counted by what the account is, however its name was typed.

    Attributes:
        subject: As in `Account`.
    """

    subject: str


@attrs.frozen(kw_only=True)
class PasswordForm:
    """
    Somebody has to type a name and a password, on a page of ours.

    Attributes:
        action: Where the form goes: a path on the same host.
        login: Names the login, as a hidden field.
        user: The name that is there already; may be empty.
        problem: What was wrong before: ``wrong``, ``wait``; or empty.
        status: The answer's status.
        reason: For the log and the audit record.
        headers: Fields for the answer.
    """

    action: str
    login: str = attrs.field(repr=False)
    user: str = attrs.field(default="", repr=False)
    problem: str = ""
    status: int = 200
    reason: str = "login-form"
    headers: Headers = ()
