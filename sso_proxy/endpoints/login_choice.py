"""
What a request for ``login`` asks for: which login, with what, and where to go on.

A page of ours leads there, and so does any page of the Internet: a provider's, which
begins a login of its users (OpenID Connect Core section 4), or somebody else's.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

import attrs

from sso_proxy.endpoints.desks import Desk
from sso_proxy.errors import SsoProxyError
from sso_proxy.interfaces import IOpenIdLogin
from sso_proxy.login import Wanted
from sso_proxy.model import Request, RequestHead
from sso_proxy.specs.http.accept import (
    comes_from_own_page,
    is_form_submission,
    is_navigation,
)
from sso_proxy.specs.http.own_origin import own_origin
from sso_proxy.specs.http.parameters import is_form, read_parameter
from sso_proxy.specs.http.return_target import TargetError, read_target

LONG: Final = 1500
"""Octets of a target that fits into the cookie of a login, with all the rest."""
MAX_FORM: Final = 16384
"""Octets of a form that says how to log in."""

_ASKED: Final = ("with", "to", "acr", "age", "body")
_THIRD_PARTY: Final = ("iss", "target_link_uri", "login_hint")
_OWN: Final = (["same-origin"], ["none"])
"""``Sec-Fetch-Site`` of who comes from a page of ours, or has typed it in."""
_TYPED: Final = "who"
_OPENID: Final = "openid_identifier"
"""What is typed, as browsers know an OpenID (OpenID Authentication 2.0 section 7.1)."""
_OLD_TARGET: Final = "aoid_redirect_to"
"""``to``, in forms that were made for mod_auth_oid."""
_MOST_CONTEXTS: Final = 8
_LONGEST_ISSUER: Final = 500
_LONGEST_HINT: Final = 320


@attrs.frozen
class ChoiceError(SsoProxyError):
    """
    Nobody can log in like that.

    Attributes:
        reason: The code of the page that says so.
        detail: Why, for the log.
    """

    reason: str
    detail: str


@attrs.frozen
class Choice:
    """
    What somebody has chosen.

    Attributes:
        names: The logins, one or several.
        wanted: What for.
    """

    names: Sequence[str]
    wanted: Wanted


def read_choice(
    text: str | None,
    head: RequestHead,
    desks: Mapping[str, Desk],
    endpoints: str,
    *,
    own: bool,
) -> Choice:
    """
    Read the fields of a request for ``login``.

    Of a request that names an issuer, and is from a page of others, nothing counts but
    the three parameters that the standard has for it; and what is typed counts only in
    a form of ours.

    Args:
        text: Its query, or its form.
        head: The request.
        desks: The logins that there are, by name.
        endpoints: Where our endpoints are.
        own: Whether a page of ours sent it, or somebody who typed it in.

    Raises:
        ChoiceError: It makes no sense, or says to go where nobody must be sent.
        BadMessageError: It can be read in two ways.
    """
    given = _read_fields(text)
    if given["iss"] and not own:
        given = {**dict.fromkeys(given, ""), **{n: given[n] for n in _THIRD_PARTY}}
    targets = [given[n] for n in ("to", "target_link_uri", _OLD_TARGET) if given[n]]
    typed = [given[n] for n in (_TYPED, _OPENID) if given[n]]
    if len(targets) > 1 or len(typed) > 1:
        raise _bad("there are two targets, or two accounts")
    if max(len(given["iss"]), len(given["acr"])) > _LONGEST_ISSUER * 2:
        raise _bad("iss or acr is too long")
    age, contexts = given["age"], tuple(given["acr"].split())
    if age and not (age.isascii() and age.isdigit() and len(age) < 10):
        raise _bad("age is no number of seconds")
    if len(contexts) > _MOST_CONTEXTS:
        raise _bad("acr is too long")
    if len(given["login_hint"]) > _LONGEST_HINT:
        raise _bad("login_hint is too long")
    wanted = Wanted(
        target=_target(targets[0] if targets else "/", head, endpoints),
        acr_values=contexts,
        max_age=int(age) if age else None,
        restore=given["body"],
        login_hint=given["login_hint"],
        issuer=given["iss"],
        account=typed[0] if own and typed else "",
        anywhere=not targets,
        own=own,
    )
    openid = bool(given[_OPENID])
    return Choice(_find(given["with"], given["iss"], desks, openid=openid), wanted)


def write_choice(
    name: str, wanted: Wanted, issuer: str = ""
) -> tuple[tuple[str, str], ...]:
    """
    Give the fields that `read_choice` reads.

    Args:
        name: The login.
        wanted: What for.
        issuer: The provider there, if that is chosen, too.
    """
    age = "" if wanted.max_age is None else str(wanted.max_age)
    every = (
        ("with", name),
        ("to", "" if wanted.anywhere else wanted.target),
        ("acr", " ".join(wanted.acr_values)),
        ("age", age),
        ("body", wanted.restore),
        ("iss", issuer or wanted.issuer),
        ("login_hint", wanted.login_hint),
    )
    return tuple((field, value) for field, value in every if value)


def choice_url(endpoints: str, name: str, wanted: Wanted, issuer: str = "") -> str:
    """Give the path and query at which one of several logins begins."""
    fields = write_choice(name, wanted, issuer)
    query = "&".join(f"{field}={quote(value, safe='')}" for field, value in fields)
    return f"{endpoints}login?{query}"


async def read_asked(
    request: Request, desks: Mapping[str, Desk], endpoints: str
) -> Choice | None:
    """
    Read what a query or a form asks for; None if nobody looks at what comes.

    Args:
        request: A request for ``login``, or by somebody who proves an identifier.
        desks: The logins that there are, by name.
        endpoints: Where our endpoints are.

    Raises:
        ChoiceError: It makes no sense, or says to go where nobody must be sent.
        BadMessageError: It can be read in two ways, or is too long.
    """
    head, posted = request.head, request.head.method == "POST"
    if not (is_form_submission(head) if posted else is_navigation(head)):
        return None
    text = head.query
    own = head.values("sec-fetch-site") in _OWN
    if posted:
        own = comes_from_own_page(head, own_origin(head))
        text = await _read_form(request)
    return read_choice(text, head, desks, endpoints, own=own)


async def _read_form(request: Request) -> str:
    """
    Give the form that says how to log in, as a query has it.

    Raises:
        BadMessageError: It is too long.
    """
    if request.body is None or not is_form(request.head):
        return ""
    # What is no ASCII is escaped, in the forms that browsers send.
    return (await request.body.read(MAX_FORM)).decode("latin-1")


def _read_fields(text: str | None) -> dict[str, str]:
    given = {}
    for name in (*_ASKED, *_THIRD_PARTY, _TYPED, _OPENID, _OLD_TARGET):
        values = read_parameter(text, name)
        if len(values) > 1:
            raise _bad(f"{name} is there twice")
        given[name] = values[0] if values else ""
    return given


def _find(
    name: str, issuer: str, desks: Mapping[str, Desk], *, openid: bool
) -> Sequence[str]:
    """Give the logins that are meant; nobody is asked for it."""
    names = [name] if name else list(desks)
    if openid and not name:  # a form of the application's own, which has one field
        fitting = [n for n in names if IOpenIdLogin.providedBy(desks[n].login)]
        names = fitting or names
    if any(each not in desks for each in names):
        raise _bad("there is no such login")
    if issuer:
        names = [each for each in names if desks[each].login.takes_issuer(issuer)]
        if not names:
            raise ChoiceError("login-issuer", "nobody logs in at that issuer here")
    return names


def _target(text: str, head: RequestHead, endpoints: str) -> str:
    """Give the path and query on the origin of *head* that *text* means."""
    try:
        target = read_target(text, host=head.host, port=head.port, scheme=head.scheme)
    except TargetError as e:
        raise _bad(e.detail) from None
    if len(target) > LONG:
        raise _bad("the target is too long")
    if target.startswith(endpoints) and target != endpoints:  # a page does nothing
        raise _bad("the target is one of our own endpoints")
    return target


def _bad(detail: str) -> ChoiceError:
    return ChoiceError("login-target", detail)
