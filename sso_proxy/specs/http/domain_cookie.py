"""Cookies for a whole domain that servers beside us read, and whose form they say."""

import re

import attrs

from sso_proxy.specs.http.cookies import SameSite

_value = re.compile(r"[!#-+\--:<-\[\]-~]+").fullmatch


def is_cookie_value(text: str) -> bool:
    """Say whether a cookie can have this value (RFC 6265 section 4.1.1)."""
    return _value(text) is not None


@attrs.frozen(kw_only=True)
class DomainCookie:
    """
    A cookie that goes to a host and all below it.

    Attributes:
        name: Its name.
        domain: The host.
        secure: Browsers send it over TLS only.
        http_only: Scripts cannot read it.
        same_site: From which pages a browser sends it.
    """

    name: str
    domain: str
    secure: bool = True
    http_only: bool = True
    same_site: SameSite = "lax"

    def set(self, value: str) -> str:
        """
        Write the ``Set-Cookie`` that gives a browser *value* until it ends.

        Raises:
            ValueError: That cannot stand in a cookie (RFC 6265 section 4.1.1).
        """
        if not is_cookie_value(value):
            raise ValueError("no value of a cookie")
        return f"{self.name}={value}{self._attributes()}"

    def clear(self, *, framed: bool = False) -> str:
        """
        Write the ``Set-Cookie`` that takes it away.

        Args:
            framed: In an answer by TLS that a page of another site has in a frame:
                browsers heed cookies there only that are ``SameSite=None``.  What was
                said when this one was set does not matter (RFC 6265bis section 5.7).
        """
        attributes = self._attributes()
        if framed:
            freed = attrs.evolve(self, secure=True, same_site="none")
            attributes = freed._attributes()  # noqa: SLF001
        return f"{self.name}={attributes}; Max-Age=0"

    def covers(self, host: str) -> bool:
        """Say whether *host* may set it."""
        return f".{host}".endswith(f".{self.domain}")

    def _attributes(self) -> str:
        secure = "; Secure" if self.secure else ""
        http_only = "; HttpOnly" if self.http_only else ""
        same_site = f"; SameSite={self.same_site.capitalize()}"
        return f"; Path=/; Domain={self.domain}{secure}{http_only}{same_site}"
