"""A web application that knows nothing of logins: it shows what it was sent."""

from typing import Final

from twisted.web.http import Request as WebRequest
from twisted.web.resource import Resource

from sso_proxy.testing.demo.page import Page

TOKENS: Final = frozenset({"authorization", "cookie"})
"""Fields in which a browser's credentials would be."""

_PAGE: Final = Page("""\
<p>This application knows nothing of logins. The proxy tells it who you are.</p>
<nav aria-label="Pages">
<a class="button" href="/">Application</a>
<a class="button" href="/reports/">Reports</a>
<a class="button other" href="/.sso/login?to=/">Be somebody else</a>
<a class="button other" href="/.sso/">Your sessions</a>
<form action="/.sso/logout" method="post"><button class="other">Log out</button></form>
</nav>
<h2>You</h2>
<dl>
{% for name, value in told %}
<dt>{{ name }}</dt><dd>{{ value }}</dd>
{% else %}
<dt>Nobody</dt><dd>the proxy said nothing</dd>
{% endfor %}
</dl>
<h2>What it was not sent</h2>
{% if tokens %}
<p>It was sent {{ tokens | join(" and ") }}: that must not be.</p>
{% else %}
<p>No token, and no cookie of the proxy.</p>
{% endif %}
<h2>All that it was sent</h2>
<dl>
{% for name, value in others %}
<dt>{{ name }}</dt><dd>{{ value }}</dd>
{% endfor %}
</dl>
""")


class Application(Resource):
    """Answers every request with a page of what it was sent."""

    isLeaf = True

    def render(self, request: WebRequest) -> bytes:
        """Show the user, the claims, and every other header field."""
        fields = [
            (name.decode("latin-1"), value.decode("utf-8", "replace"))
            for name, values in request.requestHeaders.getAllRawHeaders()
            for value in values
        ]
        told = [
            field for field in fields if field[0].startswith(("X-Remote-", "X-Claim-"))
        ]
        tokens = [name for name, _ in fields if name.lower() in TOKENS]
        said = dict(told)
        name = said.get("X-Claim-Name") or said.get("X-Remote-User") or "nobody"
        reports = request.path.startswith(b"/reports/")
        line = f"{request.method.decode('latin-1')} {request.uri.decode('latin-1')}"
        return _PAGE.answer(
            request,
            f"Reports for {name}" if reports else f"Hello, {name}",
            "The demo's application",
            told=told,
            tokens=tokens,
            others=[("Request", line), *(f for f in fields if f not in told)],
        )
