"""The pages that ask for an account or an identifier, lead on, or show whose it is."""

from collections.abc import Sequence
from typing import Final

from sso_proxy.login import FormAway, OpenIdShown, Question
from sso_proxy.model import Request, Response
from sso_proxy.pages.kit import Pages

AWAY: Final = "login-form-away"
"""The reason code of a page that leads to a provider, as a redirect does."""


def ask_for(  # noqa: PLR0913 - what it asks, and where the answer goes
    pages: Pages,
    question: Question,
    request: Request,
    *,
    place: str,
    links: Sequence[str],
    fields: Sequence[tuple[str, str]],
) -> Response:
    """
    Have somebody say at which provider they log in.

    Args:
        pages: Makes pages.
        question: What to ask.
        request: The request that is answered.
        place: Where the form goes: a path on the same host.
        links: Where the choices lead, likewise.
        fields: Hidden fields of the form.
    """
    titles = [title for title, _ in question.choices]
    headers, body = pages.discover(
        [*zip(titles, links, strict=True)],
        request.head,
        request.id,
        action=place if question.typed else "",
        fields=fields,
        problem=question.problem,
        openid=question.openid,
    )
    status = question.status
    if question.problem and status == 200:
        status = 400
    return Response(status=status, reason="login-question", headers=headers, body=body)


def lead_away(pages: Pages, form: FormAway, request: Request) -> Response:
    """
    Have a browser post to a provider what is too long for a redirect.

    Args:
        pages: Makes pages.
        form: What, and where to.
        request: The request that is answered.
    """
    headers, body = pages.render(
        "away",
        head=request.head,
        request_id=request.id,
        action=form.action,
        fields=form.fields,
    )
    fields = tuple(field for field in form.headers if field not in headers)
    return Response(status=200, reason=AWAY, headers=(*headers, *fields), body=body)


def show_identifier(
    pages: Pages, shown: OpenIdShown, request: Request, again: str
) -> Response:
    """
    Tell somebody which identifier is theirs.

    Args:
        pages: Makes pages.
        shown: What to tell.
        request: The request that is answered.
        again: Where they may go on: path and query on the same host.
    """
    headers, body = pages.render(
        "openid",
        head=request.head,
        request_id=request.id,
        identifier=shown.identifier,
        known=shown.known,
        again=again,
    )
    fields = tuple(field for field in shown.headers if field not in headers)
    return Response(
        status=200 if shown.known else 403,
        reason="openid-shown" if shown.known else "openid-unmapped",
        headers=(*headers, *fields),
        body=body,
    )
