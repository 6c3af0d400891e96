"""What kind of answer the caller can use: a page, or data (RFC 9110 section 12.5.1)."""

import re
from typing import Final

from sso_proxy.model import RequestHead

_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
_DATA: Final = frozenset({"application/json", "application/problem+json"})
_quality = re.compile(
    r"[^,]*?;[ \t]*+q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*+", re.IGNORECASE
).fullmatch


def prefers_html(head: RequestHead) -> bool:
    """
    Say whether the caller would rather have a page than data.

    It has to ask for HTML by name: ``*/*`` is what programs send.
    """
    html = data = 0.0
    for value in head.values("accept"):
        for member in value.split(","):
            name = member.partition(";")[0].strip(" \t").lower()
            if name in _HTML:
                html = max(html, _read_quality(member))
            elif name in _DATA:
                data = max(data, _read_quality(member))
    return html > 0 and html >= data


def _read_quality(member: str) -> float:
    if ";" not in member:
        return 1.0
    match = _quality(member)
    return float(match[1]) if match else 1.0


def is_navigation(head: RequestHead) -> bool:
    """
    Say whether somebody is looking at this, so that a redirect to log in makes sense.

    A script, an image or a prefetch that is redirected cannot log in; each would only
    leave a login behind that nobody finishes.
    """
    return head.method in ("GET", "HEAD") and _is_looked_at(head)


def is_form_submission(head: RequestHead) -> bool:
    """
    Say whether somebody has sent a form of a page and looks at what comes of it.

    Then it makes sense to have them log in, and to go on with the form afterwards.
    """
    return head.method == "POST" and _is_looked_at(head)


def comes_from_own_page(head: RequestHead, origin: str) -> bool:
    """
    Say whether a page of *origin* sent a request, as browsers tell.

    What another site's page sends must not be kept and sent again as if it were ours:
    that would get it past the protection that ``SameSite`` cookies are.

    A page with ``Referrer-Policy: no-referrer`` sends ``Origin: null``, and so do many
    that are not ours; no page can say ``Sec-Fetch-Site`` but by being of that site.
    """
    sites = head.values("sec-fetch-site")
    if sites and sites != ["same-origin"]:
        return False
    origins = head.values("origin")
    if not origins or origins == ["null"]:
        return bool(sites)
    return origins == [origin]


def _is_looked_at(head: RequestHead) -> bool:
    if head.values("x-requested-with"):
        return False
    if head.values("sec-purpose") or head.values("purpose"):
        return False
    modes = head.values("sec-fetch-mode")
    if modes:
        return modes == ["navigate"] and head.values("sec-fetch-dest") == ["document"]
    return prefers_html(head)
