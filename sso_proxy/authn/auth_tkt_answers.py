"""Where the ``auth_tkt`` authenticator sends browsers, and the cookies they get."""

from typing import Final

import attrs

from sso_proxy.authn.auth_tkt_config import AuthTktConfig
from sso_proxy.model import Headers, LoginRedirect, Request
from sso_proxy.specs.http.authority import DEFAULT_PORTS
from sso_proxy.specs.ticket_return import (
    add_argument,
    escape_return,
    return_url,
    without_ticket,
)

_AGAIN: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that may be sent again to the login server; others have bodies."""


@attrs.frozen
class Answers:
    """
    Writes redirects and cookies.

    Attributes:
        config: What they are like.
    """

    config: AuthTktConfig

    def redirect(
        self, request: Request, url: str | None, cookies: Headers = ()
    ) -> LoginRedirect | None:
        """
        Send a browser to *url*, if there is one, with where it was.

        Not with 307 if it posted something: it would post that to the login server.
        """
        if url is None:
            return None
        config, head = self.config, request.head
        if url.startswith("/"):
            port = head.port
            at = "" if port == DEFAULT_PORTS[head.scheme] else f":{port}"
            url = f"{head.scheme}://{head.host}{at}{url}"
        query = without_ticket(head.query, config.cookie_name)
        here = return_url(attrs.evolve(head, query=query), request.path_asked)
        back = escape_return(here)
        if config.back_cookie is not None:
            cookies = (*cookies, self._cookie(request, config.back_cookie, back))
        elif config.back_argument:
            url = add_argument(url, config.back_argument, back, config.query_separator)
        status = 307 if head.method in _AGAIN else 303
        return LoginRedirect(url, status, always=True, headers=cookies)

    def give(self, request: Request, value: str) -> Headers:
        """Give the browser a ticket, written for a cookie."""
        expires = self.config.cookie_expires
        age = "" if expires is None else f"; Max-Age={int(expires)}"
        return (self._cookie(request, self.config.cookie_name, value, age),)

    def take(self, request: Request) -> Headers:
        """Take its ticket from the browser."""
        return (self._cookie(request, self.config.cookie_name, "", "; Max-Age=0"),)

    def _cookie(
        self, request: Request, name: str, value: str, age: str = ""
    ) -> tuple[str, str]:
        """Write a cookie for the configured domain, or for the request's host."""
        config, head = self.config, request.head
        domain = config.cookie_domain or head.host
        secure = config.cookie_secure
        if secure is None:
            secure = head.scheme == "https" or config.require_ssl
        parts = [
            f"{name}={value}; Path=/",
            "" if domain.startswith("[") else f"; Domain={domain}",
            age,
            "; Secure" if secure else "",
            "; HttpOnly" if config.cookie_http_only else "",
            f"; SameSite={config.cookie_same_site.capitalize()}",
        ]
        return "set-cookie", "".join(parts)
