"""The tables ``[[route.token]]``: options, as in `sso_proxy.config.model`."""

from typing import Literal

import attrs

from sso_proxy.config.checks import non_empty

Place = Literal[
    "authorization", "header", "cookie", "query", "form", "basic", "environ"
]


@attrs.frozen(kw_only=True)
class RouteTokenConfig:
    """
    A token that a route's backend gets.

    Attributes:
        name: Which ``[token.NAME]`` gives it.
        audience: Whom it is for: what the backend calls itself.  Unset, whomever the
            options of the token's own table say.
        to: Where the backend looks for it: ``authorization`` (the field, after
            *scheme*), ``header`` (another field), ``cookie``, ``query``, ``form`` (of a
            form of at most 1 MiB that is posted; other requests are refused), ``basic``
            (as password), or ``environ`` of a hosted WSGI application.  What a client
            sends there itself is taken away.
        field: Name of the header field, cookie, parameter, form field or member of the
            environ.
        scheme: The word before the token in a header field; unset, ``Bearer`` in
            ``Authorization`` and none in others.
        user: The user name for ``basic``; unset, the one that the backend knows the
            caller by.
        on_error: What becomes of a request for which there is no token: ``deny``, or
            ``pass`` it without one.  That its issuer cannot be reached counts, too.
    """

    name: str = attrs.field(validator=non_empty)
    audience: str = ""
    to: Place = "authorization"
    field: str = ""
    scheme: str | None = None
    user: str = ""
    on_error: Literal["deny", "pass"] = "deny"
