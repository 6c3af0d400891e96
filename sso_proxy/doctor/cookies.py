"""Whether sessions that are in cookies get through what is on their way."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sso_proxy.doctor.finding import Finding
from sso_proxy.sessions.cookie import CookieSessionConfig
from sso_proxy.sessions.server import ServerSessionConfig

USUAL: Final = 8192
"""Octets of a header field, or of all, that most servers take unasked."""


def look_at_cookies(sessions: Mapping[str, Any]) -> Iterator[Finding]:
    """
    Compare how large sessions' cookies may be with what others take.

    What we would not take ourselves is a mistake in the configuration.

    Args:
        sessions: The options of each ``[session.N]``.
    """
    for name, options in sessions.items():
        what = f"session.{name}, cookie"
        if isinstance(options, ServerSessionConfig):
            yield Finding("ok", what, "is a short name; the session is in a store")
        elif isinstance(options, CookieSessionConfig):
            found = f"has up to {options.max_bytes} octets"
            if options.max_bytes > USUAL:
                todo = (
                    "whatever is between browsers and us has to take as much (nginx:"
                    " large_client_header_buffers), or lower max_bytes"
                )
                yield Finding("warning", what, found, todo)
            else:
                yield Finding("ok", what, found)
