"""The page where people log in with a password."""

from sso_proxy.login import PasswordForm
from sso_proxy.model import Request, Response
from sso_proxy.pages.kit import Pages


def show_form(pages: Pages, form: PasswordForm, request: Request) -> Response:
    """
    Have somebody type a name and a password.

    Args:
        pages: Makes pages.
        form: What to ask.
        request: The request that is answered.
    """
    headers, body = pages.render(
        "login-form",
        head=request.head,
        request_id=request.id,
        action=form.action,
        login=form.login,
        user=form.user,
        problem=form.problem,
    )
    fields = tuple(f for f in form.headers if f not in headers)
    return Response(
        status=form.status,
        reason=form.reason,
        headers=(*headers, *fields),
        body=body,
    )
