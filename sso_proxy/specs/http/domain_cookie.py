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

    def clear(self) -> str:
        """Write the ``Set-Cookie`` that takes it away."""
        return f"{self.name}={self._attributes()}; Max-Age=0"

    def covers(self, host: str) -> bool:
        """Say whether *host* may set it."""
        return f".{host}".endswith(f".{self.domain}")

    def _attributes(self) -> str:
        secure = "; Secure" if self.secure else ""
        http_only = "; HttpOnly" if self.http_only else ""
        same_site = f"; SameSite={self.same_site.capitalize()}"
        return f"; Path=/; Domain={self.domain}{secure}{http_only}{same_site}"
