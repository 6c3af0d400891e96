"""Pages of the demo's own servers, in the look of the proxy's."""

from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from twisted.web.http import Request as WebRequest

from sso_proxy.pages import default_pages
from sso_proxy.pages.kit import hash_source

_STYLE: Final = """
.people { display: grid; gap: .75rem; }
.people button { text-align: start; }
.people button span { display: block; font-weight: 400; font-size: .875rem; }
.other { background: none; color: var(--accent);
  border: 1px solid var(--line); }
h2 { font-size: 1.125rem; margin: 2rem 0 .5rem; }
dl { margin: 0; }
dt { color: var(--quiet); font-size: .875rem; }
dd { margin: 0 0 .75rem; font-family: ui-monospace, monospace; font-size: .9375rem; }
nav { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.5rem; }
"""

_LAYOUT: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<main>
<h1><span>{{ above }}</span> {{ title }}</h1>
%s
</main>
</body>
</html>
"""
_environment = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


class Page:
    """
    A page.

    Args:
        source: What stands below its heading, as a Jinja2 template.
    """

    def __init__(self, source: str) -> None:
        self._template = _environment.from_string(_LAYOUT % source)

    def answer(
        self,
        request: WebRequest,
        title: str,
        above: str,
        status: int = 200,
        **values: Any,  # noqa: ANN401
    ) -> bytes:
        """Set what the answer needs, and give its body."""
        style = default_pages().style + _STYLE
        request.setResponseCode(status)
        # Nothing on where forms lead: browsers apply that to the redirects after them.
        policy = f"default-src 'none'; style-src {hash_source(style)};"
        policy += " base-uri 'none'; frame-ancestors 'none'"
        for name, value in {
            "content-type": "text/html; charset=utf-8",
            "content-security-policy": policy,
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
        }.items():
            request.setHeader(name, value)
        body = self._template.render(
            values,
            title=title,
            above=above,
            style=Markup(style),  # noqa: S704 - ours
        )
        return body.encode()
