"""A browser without a screen: keeps cookies, follows redirects, sends forms."""

import http.client
import json
import re
import socket
import ssl
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urljoin, urlsplit

import attrs

from sso_proxy.authn.oidc_callback import FRAGMENT_FIELD
from tests.support.running import PATIENCE

STEPS: Final = 14
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@attrs.define(kw_only=True)
class Form:
    """
    A form of a page.

    Attributes:
        action: Where it goes.
        method: How, in capitals.
        fields: Names and values.
        hidden: Whether there is nothing in it to fill in.
    """

    action: str
    method: str
    fields: dict[str, str] = attrs.field(factory=dict)
    hidden: bool = True


@attrs.frozen(kw_only=True)
class Page:
    """
    An answer.

    Attributes:
        url: Where it is from.
        status: The status code.
        fields: Names, in lower case, and values of the header section.
        body: The content.
    """

    url: str
    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes = attrs.field(repr=False)

    @property
    def text(self) -> str:
        """Give the content as text."""
        return self.body.decode("utf-8", "replace")

    def value(self, name: str) -> str:
        """Give the value of a header field, or nothing."""
        return next((value for found, value in self.fields if found == name), "")

    @property
    def location(self) -> str | None:
        """Give where it sends the browser."""
        to = self.value("location")
        return urljoin(self.url, to) if to and self.status in _REDIRECTS else None

    @property
    def forms(self) -> list[Form]:
        """Give its forms."""
        reader = _Forms(self.url)
        reader.feed(self.text)
        return reader.forms

    @property
    def links(self) -> list[str]:
        """Give where its links lead."""
        reader = _Forms(self.url)
        reader.feed(self.text)
        return reader.links


class _Forms(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._url = url
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.append(urljoin(self._url, given["href"]))
        elif tag == "form":
            action = urljoin(self._url, given.get("action", ""))
            method = given.get("method", "get").upper()
            self.forms.append(Form(action=action, method=method))
            self._inside = True
        elif tag in {"input", "textarea", "select"} and self._inside:
            form = self.forms[-1]
            form.hidden = form.hidden and given.get("type") in {"hidden", "submit"}
            if "name" in given:
                form.fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


@attrs.define(kw_only=True)
class Cookie:
    """A cookie, and to whom it goes (RFC 6265 section 5)."""

    name: str
    value: str
    host: str
    subdomains: bool
    path: str
    same_site: str

    def goes_to(self, host: str, path: str) -> bool:
        """Say whether a request gets it."""
        near = self.subdomains and host.endswith(f".{self.host}")
        below = path == self.path or path.startswith(self.path.rstrip("/") + "/")
        return (host == self.host or near) and below


class Browser:
    """
    One person's browser.

    Args:
        ca: Whose certificates it believes.
        address: The address on this machine that it comes from.

    Attributes:
        cookies: What it keeps.
        trail: Method, URL and status of everything that it asked for.
        address: Where it comes from.
    """

    def __init__(self, ca: Path, address: str = "127.0.0.1") -> None:
        self.cookies: list[Cookie] = []
        self.trail: list[tuple[str, str, int]] = []
        self.address = address
        self._context = ssl.create_default_context(cafile=str(ca))

    def go(
        self,
        url: str,
        *,
        stop: str | None = None,
        post: Mapping[str, str] | None = None,
        origin: str | None = None,
    ) -> Page:
        """
        Open *url* as a person does, and go where that leads.

        Pages that consist of hidden fields are sent on, as their scripts would.

        Args:
            url: Where to.
            stop: What an address begins with that is not gone to any more; the page
                that leads there is given.
            post: A form that is sent there.
            origin: The page that leads there; none is typed in.
        """
        method = "GET" if post is None else "POST"
        page = self.send(method, url, form=post, origin=origin)
        for _ in range(STEPS):
            form = page.forms[0] if page.status == 200 and page.forms else None
            to, fields = page.location, None
            if to is not None:
                method = method if page.status in {307, 308} else "GET"
            elif form is not None and form.hidden and form.method == "POST":
                to, fields, method, origin = form.action, form.fields, "POST", page.url
                if FRAGMENT_FIELD in fields:  # our script's part
                    fields[FRAGMENT_FIELD] = urlsplit(page.url).fragment
            if to is None or (stop is not None and to.startswith(stop)):
                return page
            page = self.send(method, to, form=fields, origin=origin)
        raise AssertionError(f"led around in circles: {self.trail}")

    def submit(self, page: Page, form: Form | None = None, **fields: str) -> Page:
        """Fill in a form of *page* and send it, and go where that leads."""
        sent = form or page.forms[0]
        all_fields = {**sent.fields, **fields}
        if sent.method == "GET":
            url = f"{sent.action}?{urlencode(all_fields)}"
            return self.go(url, origin=page.url)
        return self.go(sent.action, post=all_fields, origin=page.url)

    def fetch(self, url: str, **headers: str) -> Page:
        """Ask as a script of the same site does."""
        return self.send(
            "GET",
            url,
            headers={
                "Accept": "application/json",
                "Sec-Fetch-Site": "same-origin",
                "Sec-Fetch-Mode": "cors",
                "Sec-Fetch-Dest": "empty",
                **headers,
            },
        )

    def call(self, method: str, url: str, value: Mapping[str, object]) -> Page:
        """Send JSON as a script of the page does."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        return self.send(method, url, body=json.dumps(value), headers=headers)

    def send(  # noqa: PLR0913
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        body: str | None = None,
        origin: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        """
        Send one request, with cookies, and keep those of the answer.

        Args:
            method: Its method.
            url: Where to.
            form: What it brings.
            body: The same, as it is.
            origin: The page that it comes from; none is typed in.
            headers: Its fields; unset, those of a navigation.
        """
        parts = urlsplit(url)
        host, path = parts.hostname or "", parts.path or "/"
        target = path + (f"?{parts.query}" if parts.query else "")
        cross = origin is not None and _site(origin) != _site(url)
        fields = dict(_navigation(url, origin) if headers is None else headers)
        cookies = self._cookies_for(host, path, cross=cross, method=method)
        if cookies:
            fields["Cookie"] = cookies
        if form is not None:
            body = urlencode(form)
            fields["Content-Type"] = "application/x-www-form-urlencoded"
        if form is not None and origin is not None:
            fields["Origin"] = "/".join(origin.split("/")[:3])
        connection = _Connection(host, parts.port or 443, self._context, self.address)
        try:
            connection.request(method, target, body, fields)
            answer = connection.getresponse()
            got = tuple((name.lower(), value) for name, value in answer.getheaders())
            page = Page(url=url, status=answer.status, fields=got, body=answer.read())
        finally:
            connection.close()
        self.trail.append((method, url, page.status))
        for name, value in page.fields:
            if name == "set-cookie":
                self._keep(host, value)
        return page

    def copy(self) -> "Browser":
        """Give another one with the same cookies."""
        other = object.__new__(Browser)
        other.cookies = [attrs.evolve(cookie) for cookie in self.cookies]
        other.trail = []
        other.address, other._context = self.address, self._context
        return other

    def cookies_for(self, host: str, path: str) -> str:
        """Give what a page of the same site sends there."""
        return self._cookies_for(host, path, cross=False, method="GET")

    def _cookies_for(self, host: str, path: str, *, cross: bool, method: str) -> str:
        def allowed(cookie: Cookie) -> bool:
            if not cross or cookie.same_site == "none":
                return True
            return cookie.same_site == "lax" and method == "GET"

        sent = [c for c in self.cookies if c.goes_to(host, path) and allowed(c)]
        sent.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in sent)

    def _keep(self, host: str, field: str) -> None:
        pair, *rest = re.split(r";\s*", field)
        name, _, value = pair.partition("=")
        given = {k.lower(): v for k, _, v in (each.partition("=") for each in rest)}
        if name.startswith("__Host-"):
            assert "secure" in given, field
            assert "domain" not in given, field
            assert given.get("path") == "/", field
        domain = given.get("domain", "").lstrip(".")
        new = Cookie(
            name=name,
            value=value,
            host=domain or host,
            subdomains=bool(domain),
            path=given.get("path", "/"),
            same_site=given.get("samesite", "lax").lower(),
        )
        identity = (new.name, new.host, new.path)
        kept = [c for c in self.cookies if (c.name, c.host, c.path) != identity]
        over = given.get("max-age", "1").startswith(("0", "-"))
        over = over or "1970" in given.get("expires", "")
        self.cookies = kept if over else [*kept, new]


class _Connection(http.client.HTTPSConnection):
    """To any name on this machine."""

    def __init__(
        self, host: str, port: int, context: ssl.SSLContext, address: str
    ) -> None:
        super().__init__(host, port, timeout=PATIENCE, context=context)
        self._tls, self._from = context, address

    def connect(self) -> None:
        sock = socket.create_connection(
            ("127.0.0.1", self.port), PATIENCE, (self._from, 0)
        )
        self.sock: Any = self._tls.wrap_socket(sock, server_hostname=self.host)


def _navigation(url: str, origin: str | None) -> dict[str, str]:
    """Give the fields by which browsers tell that a person goes somewhere."""
    if origin is None:
        site = "none"
    elif urlsplit(origin)[:2] == urlsplit(url)[:2]:
        site = "same-origin"
    else:
        site = "same-site" if _site(origin) == _site(url) else "cross-site"
    return {
        "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
        "Sec-Fetch-Site": site,
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Sec-Fetch-User": "?1",
        "Upgrade-Insecure-Requests": "1",
    }


def _site(url: str) -> str:
    """Give what cookies call a site, for the names that tests use."""
    return ".".join((urlsplit(url).hostname or "").split(".")[-2:])
