"""The paths of the demo's OpenID Provider."""

import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from twisted.internet import ssl
from twisted.web.http import Request as WebRequest
from twisted.web.resource import Resource

from sso_proxy.testing.demo.page import Page
from sso_proxy.testing.demo.people import PEOPLE
from sso_proxy.testing.demo.provider import NotInOrderError, OpenIdProvider
from sso_proxy.testing.pki import Issued

_ABOVE: Final = "The demo's OpenID Provider"
_LOGIN: Final = Page("""\
<p>There are no passwords here: click on who you want to be.</p>
<form action="/authorize" method="post" class="people">
{% for name, value in fields %}
<input type="hidden" name="{{ name }}" value="{{ value }}">
{% endfor %}
{% for person in people %}
<button name="person" value="{{ person.key }}">{{ person.name }}
<span>{{ person.may }}</span></button>
{% endfor %}
<button name="person" value="nobody" class="other">Cancel</button>
</form>
""")
_PROBLEM: Final = Page("<p>{{ problem }}</p>")


class ProviderSite(Resource):
    """Metadata, keys, the page where people log in, tokens and claims."""

    isLeaf = True

    def __init__(self, provider: OpenIdProvider) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._provider = provider
        self._documents = {
            b"/.well-known/openid-configuration": provider.metadata(),
            b"/jwks": {"keys": [provider.key.public_jwk()]},
        }

    def render_GET(self, request: WebRequest) -> bytes:
        """Give a document, claims, or the page where people log in."""
        if request.path == b"/authorize":
            return self._authorize(request)
        if request.path == b"/userinfo":
            return _answer(request, *self._provider.userinfo(_authorization(request)))
        document = self._documents.get(request.path)
        if document is None:
            return _answer(request, 404, {"error": "not_found"})
        return _answer(request, 200, document)

    def render_POST(self, request: WebRequest) -> bytes:
        """Log somebody in, or give tokens."""
        if request.path == b"/authorize":
            return self._authorize(request)
        if request.path == b"/token":
            answer = self._provider.answer(_form(request), _authorization(request))
            return _answer(request, *answer)
        return _answer(request, 404, {"error": "not_found"})

    def _authorize(self, request: WebRequest) -> bytes:
        """Ask who it is, and send who has said so back."""
        fields = _form(request)
        person = fields.pop("person", None)
        try:
            asked = self._provider.read_request(fields)
        except NotInOrderError as e:
            title = "This request is not in order"
            return _PROBLEM.answer(request, title, _ABOVE, 400, problem=e.problem)
        if request.method != b"POST" or person is None:
            return _LOGIN.answer(
                request,
                "Who are you?",
                _ABOVE,
                fields=asked.fields,
                people=PEOPLE.values(),
            )
        request.setResponseCode(303)
        request.setHeader("location", self._provider.send_back(asked, person))
        return b""


def server_tls(own: Issued) -> ssl.CertificateOptions:
    """Show a certificate, and ask for none: browsers would ask people for theirs."""
    # pyOpenSSL warns about the types that Twisted's annotations ask for.
    mine: dict[str, Any] = {
        "privateKey": load_pem_private_key(own.key_pem, None),
        "certificate": x509.load_pem_x509_certificate(own.cert_pem),
    }
    return ssl.CertificateOptions(**mine)


def _form(request: WebRequest) -> dict[str, str]:
    """Give the parameters that came once."""
    return {
        name.decode("utf-8", "replace"): values[0].decode("utf-8", "replace")
        for name, values in (request.args or {}).items()
        if len(values) == 1
    }


def _authorization(request: WebRequest) -> str:
    return str(request.getHeader("authorization") or "")


def _answer(request: WebRequest, status: int, document: Mapping[str, object]) -> bytes:
    """Set what every answer for programs has, and give the body."""
    request.setResponseCode(status)
    request.setHeader("content-type", "application/json")
    request.setHeader("cache-control", "no-store")
    return json.dumps(document, indent=2).encode() + b"\n"
