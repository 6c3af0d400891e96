"""Answers of our own: short, without secrets, in HTML or as problem details."""

import json
from base64 import b64encode
from hashlib import sha256
from http import HTTPStatus

from jinja2 import Environment

from sso_proxy.model import Headers, RequestHead
from sso_proxy.specs.http.accept import prefers_html

_TEXT = {
    400: "The request could not be read in exactly one way, so it was refused.",
    401: "This needs a valid credential.",
    403: "You are not allowed to do this.",
    404: "There is nothing here.",
    405: "This method is not allowed here.",
    408: "The request took too long.",
    413: "The request is larger than what is accepted here.",
    414: "The address is longer than what is accepted here.",
    417: "This expectation cannot be met.",
    421: "This connection is not for that name. Try again on a new one.",
    431: "The header fields are larger than what is accepted here.",
    501: "This is not supported.",
    502: "A server that this address depends on gave no usable answer.",
    503: "Something that is needed to decide on this request is not available.",
    504: "A server that this address depends on took too long.",
    505: "This version of HTTP is not spoken here.",
    508: "The request came back to where it started.",
}

# Both shades of grey keep a contrast of 4.5 to 1 and more against their ground.
_STYLE = """
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif;
  --ground: #fff; --text: #1b1f24; --quiet: #57606a; --line: #d8dee4; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171b; --text: #e9edf1; --quiet: #9aa4af; --line: #30363d; } }
body { max-width: 34rem; margin: 15vh auto; padding: 0 1.5rem;
  background: var(--ground); color: var(--text); }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .75rem; }
h1 span { display: block; font-size: 1rem; font-weight: 400; color: var(--quiet);
  margin-bottom: .25rem; }
p { margin: 0; }
footer { margin-top: 2rem; padding-top: 1rem; border-top: 1px solid var(--line);
  font-size: .875rem; color: var(--quiet); }
code { color: var(--text); overflow-wrap: anywhere; user-select: all; }
"""

_PAGE = Environment(autoescape=True).from_string(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ status }} {{ phrase }}</title>
<style>{{ style | safe }}</style>
</head>
<body>
<main>
<h1><span>{{ status }}</span> {{ phrase }}</h1>
<p>{{ text }}</p>
</main>
<footer>If you ask for help, give this number: <code>{{ id }}</code></footer>
</body>
</html>
"""
)

_DIGEST = b64encode(sha256(_STYLE.encode()).digest()).decode()
_CONTENT_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)

_SAFE: Headers = (
    ("cache-control", "no-store"),
    ("content-security-policy", _CONTENT_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
)


def render_page(
    status: int, request_id: str, head: RequestHead | None
) -> tuple[Headers, bytes]:
    """
    Say *status* to a person or a program, whichever asked.

    Args:
        status: The status code.
        request_id: By which the log has the reason.
        head: The request, or None if it could not be read.
    """
    phrase = phrase_of(status)
    text = _TEXT.get(status, "")
    if head is not None and prefers_html(head):
        page = _PAGE.render(
            status=status, phrase=phrase, text=text, id=request_id, style=_STYLE
        )
        return (("content-type", "text/html; charset=utf-8"), *_SAFE), page.encode()
    problem = {
        "type": "about:blank",
        "title": phrase,
        "status": status,
        "detail": text,
        "instance": f"urn:request:{request_id}",
    }
    body = json.dumps(problem).encode() + b"\n"
    return (("content-type", "application/problem+json"), *_SAFE), body


def phrase_of(status: int) -> str:
    """Give the standard's words for *status*."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"
