"""
A provider whose sessions are watched (OpenID Connect Session Management 1.0).

Each browser has a session there, in a cookie that frames of other sites get, too.
"""

import hashlib
import secrets
from typing import Final

import attrs

from tests.conformance.parts import Asked, Fields, Grant, Reply
from tests.conformance.provider import Provider

_PAGE: Final = """<!DOCTYPE html><title>Session</title><script>
addEventListener("message", async (event) => {
  const [client, state] = event.data.split(" ");
  const salt = state.split(".")[1];
  const op = (document.cookie.match(/(?:^|; )op=([^;]*)/) || [])[1] || "";
  const text = new TextEncoder().encode([client, event.origin, op, salt].join(" "));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
  const hex = [...hash].map(each => each.toString(16).padStart(2, "0")).join("");
  event.source.postMessage(
    `${hex}.${salt}` === state ? "unchanged" : "changed", event.origin);
});
</script>"""


class Watched:
    """
    Makes a provider one whose sessions are watched.

    Args:
        provider: It.
        host: What browsers know it by: of the same site as applications, or not.

    Attributes:
        place: Where browsers find it.
        hints: The ID tokens that came with questions that nobody is to see.
    """

    def __init__(self, provider: Provider, host: str) -> None:
        self.place = provider.issuer.replace("localhost", host)
        self.hints: list[str] = []
        self._provider = provider
        self._users: dict[str, str] = {}
        self._session = ""
        provider.pages |= {
            "check": lambda _: Reply(body=_PAGE.encode(), content_type="text/html"),
            "leave": self._leave,
            "become": self._become,
            "authorize": self._authorize,
        }
        here = {
            "authorization_endpoint": f"{self.place}/authorize",
            "check_session_iframe": f"{self.place}/check",
        }
        provider.changes.add("metadata", lambda said, _: {**said, **here})
        provider.changes.add("answer", self._answer)

    def _authorize(self, asked: Asked) -> Reply:
        """Log in whoever is not logged in yet, unless nobody is to be asked."""
        silent = dict(asked.query).get("prompt") == "none"
        if silent:
            self.hints.append(dict(asked.query)["id_token_hint"])
        self._session = self._session_of(asked)
        if not self._session and not silent:
            self._session = self._begin("alice")
        self._provider.user = self._users.get(self._session, "")
        reply = self._provider.authorize(asked)
        return self._with_cookie(reply, self._session)

    def _answer(self, fields: Fields, grant: Grant) -> Fields:
        if not self._session:
            kept = [field for field in fields if field[0] in {"state", "iss"}]
            return (*kept, ("error", "login_required"))
        salt = secrets.token_hex(4)
        place = grant.asked["redirect_uri"].partition("/.sso/")[0]
        client = self._provider.client.client_id
        text = f"{client} {place} {self._session} {salt}"
        state = f"{hashlib.sha256(text.encode()).hexdigest()}.{salt}"
        return (*fields, ("session_state", state))

    def _leave(self, asked: Asked) -> Reply:
        """Log out, as somebody who looks at the provider's own page."""
        self._users.pop(self._session_of(asked), None)
        page = Reply(
            body=b"<!DOCTYPE html><title>Left</title>", content_type="text/html"
        )
        return self._with_cookie(page, "")

    def _become(self, asked: Asked) -> Reply:
        """Log in there, as ``user``."""
        page = Reply(
            body=b"<!DOCTYPE html><title>Here</title>", content_type="text/html"
        )
        return self._with_cookie(page, self._begin(dict(asked.query)["user"]))

    def _begin(self, user: str) -> str:
        session = secrets.token_hex(8)
        self._users[session] = user
        return session

    def _session_of(self, asked: Asked) -> str:
        pairs = (
            pair.partition("=") for pair in asked.headers.get("cookie", "").split("; ")
        )
        found = {name: value for name, _, value in pairs}.get("op", "")
        return found if found in self._users else ""

    def _with_cookie(self, reply: Reply, session: str) -> Reply:
        cookie = ("Set-Cookie", f"op={session}; Path=/; Secure; SameSite=None")
        return attrs.evolve(reply, headers=(*reply.headers, cookie))
