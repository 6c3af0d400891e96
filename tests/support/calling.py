"""A client of an API over TLS, and what it is told."""

import http.client
import re
import ssl
from pathlib import Path

import attrs

from sso_proxy.testing.pki import Issued
from tests.support.running import PATIENCE
from tests.support.tokens_from_op import client_context


@attrs.frozen(kw_only=True)
class Told:
    """
    An answer.

    Attributes:
        status: The status code; 0 if the server closed the connection instead.
        fields: Names, in lower case, and values of the header section.
        body: The content.
    """

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Give the values of a header field."""
        return [value for found, value in self.fields if found == name]

    @property
    def challenges(self) -> list[tuple[str, dict[str, str]]]:
        """Give the schemes asked for, with their parameters."""
        found = []
        for value in self.values("www-authenticate"):
            scheme, _, rest = value.partition(" ")
            found.append((scheme, dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', rest))))
        return found

    @property
    def verdict(self) -> str:
        """Give status, scheme and error code, as in ``401 Bearer invalid_token``."""
        if not self.status:
            return "no answer"
        if not self.challenges:
            return str(self.status)
        scheme, parameters = self.challenges[0]
        return " ".join(
            filter(None, (str(self.status), scheme, parameters.get("error")))
        )


@attrs.frozen(kw_only=True)
class Caller:
    """
    A client that makes a connection for every request.

    Attributes:
        port: Where the server listens, on this machine.
        ca: The authority that it must have its certificate from.
    """

    port: int
    ca: Path

    @property
    def origin(self) -> str:
        """Give the server's origin."""
        return f"https://localhost:{self.port}"

    def ask(
        self,
        target: str,
        *headers: tuple[str, str],
        certificate: Issued | None = None,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Told:
        """
        Send one request.

        Args:
            target: The request target.
            headers: Fields, in their order; a name may stand there twice.
            certificate: What the client shows, if anything.
            method: The method.
            body: The content, if any.
        """
        connection = http.client.HTTPSConnection(
            "localhost",
            self.port,
            timeout=PATIENCE,
            context=client_context(self.ca, certificate),
        )
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            try:
                answer = connection.getresponse()
            except (ConnectionError, ssl.SSLError):
                return Told(status=0, fields=(), body=b"")
            fields = tuple((name.lower(), value) for name, value in answer.getheaders())
            return Told(status=answer.status, fields=fields, body=answer.read())
        finally:
            connection.close()


def bearer(token: str, scheme: str = "Bearer") -> tuple[str, str]:
    """Give the field that shows *token*."""
    return "Authorization", f"{scheme} {token}"
