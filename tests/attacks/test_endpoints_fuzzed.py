"""
Whatever is sent to our endpoints, and by whomever: none of them fails or gives away.

``SSO_PROXY_EXAMPLES=5000`` looks longer, and elsewhere each time.
"""

import os
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus, urljoin

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from tests.support.endpoints_scene import REDIRECT, WAYS, EndpointsScene
from tests.support.login_scene import Seen
from tests.support.oidc_scene import ISSUER
from tests.support.sessions import MAKERS, Browser
from tests.support.unmeasured import unmeasured

EXAMPLES = int(os.environ.get("SSO_PROXY_EXAMPLES", "0"))
bounded = settings(
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

HTML: Final = "\"'><x7 y='"
"""What must not come back as it is."""
SECRET: Final = "sekret-7"
"""What must not be in the log."""
SECRETS: Final = ("code", "id_token", "access_token", "response", "logout_token")
OWN_LOCATIONS: Final = (f"{ISSUER}/authorize?", f"{ISSUER}/logout?", f"{ISSUER}/check")

ENDPOINTS: Final = {
    "login": {"login-choice", "no-navigation"},
    "callback/{}": {"login-state", "login-refused"},
    "logout": {"logout", "logout-ask"},
    "logout/done": {"logged-out"},
    "logout/frontchannel/{}": {"logged-out-by-provider", "logout-notice"},
    "logout/backchannel/{}": {"logout-notice"},
    "": {"account", "account-form", "logout-foreign", "login-choice"},
    "session": {"session-info", "no-session", "session-info-origin"},
    "request/{}/x": {"no-endpoint"},
    "jwks": {"jwks"},
    "iframe/op/{}": {"session-frame"},
    "iframe/rp/{}": {"session-frame"},
    "iframe/again/{}": {"logout-foreign"},
    REDIRECT: {"login-state", "logout-ask"},
    "{}": {"no-endpoint"},
}
"""Our endpoints, and reasons that have to come up, or the rest shows nothing."""
BUSY: Final = ("login", "callback/{}", "logout", "session", REDIRECT)
"""Those where most happens."""


@attrs.frozen(kw_only=True)
class Sent:
    """A request: its parts; ``{n}`` in them stands for what a browser has."""

    method: str
    path: str
    query: str
    cookies: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, str], ...]
    form: str | None

    def octets(self, cookies: str) -> tuple[bytes, bytes]:
        """Give head and body."""
        target = self.path + (f"?{self.query}" if self.query else "")
        lines = [f"{self.method} {target} HTTP/1.1", "Host: app.example.com"]
        lines += [f"{name}: {value}" for name, value in self.fields]
        lines += [f"Cookie: {cookies}"] if cookies else []
        body = (
            b"" if self.form is None else self.form.encode("utf-8", "surrogateescape")
        )
        lines += [] if self.form is None else [f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"), body


def weighted(*choices: tuple[int, Any]) -> st.SearchStrategy[Any]:
    """Give a strategy that draws what has more weight more often."""
    return st.sampled_from([each for weight, each in choices for _ in range(weight)])


names = weighted(*((4, way) for way in WAYS), (1, "nobody"), (1, "a%2Fb"), (1, HTML))
keys = st.sampled_from(
    [
        *("with", "to", "acr", "age", "body", "iss", "target_link_uri", "login_hint"),
        *("who", "state", "state", "state", "code", "code", "error", "scope"),
        *("error_description", "error_uri", "session_state", "id_token", "response"),
        *("access_token", "token_type", "expires_in", "sid", "logout_token"),
        *("refresh", "extend", "__sso_fragment", "__sso_restore", "x"),
        *("logout", "info", "session", "disc_user", "request_uri", "revoke_session"),
    ]
)
targets = st.sampled_from(
    [
        *(
            "/",
            "/page?x=1",
            "//evil.example/",
            "/\\evil.example",
            "https://evil.example",
        ),
        *("https://app.example.com/x", "/.sso/logout", "/%2esso/logout", "/x/../.sso/"),
        *(
            "javascript:alert(1)",
            "/%0d%0aSet-Cookie:x",
            "/\u00e4\u20ac",
            "/" + "a" * 1400,
        ),
        *("/" + "\u00e9" * 300, '/?"' + '"' * 1400, "/" * 5000, "/?a=<x7>"),
    ]
)
words = st.one_of(
    st.sampled_from(
        [
            *("", "corp", "fragment", "asking", "gold", "60", "1e9", "-1", "9" * 400),
            *("json", "html", "get", "img", "iframe_op", "iframe_rp", "backchannel"),
            *("true", "Bearer", ISSUER, "https://evil.example", "login_required"),
            *(
                "access_denied",
                "a.b.c",
                "eyJhbGciOiJub25lIn0.e30.",
                HTML,
                "\x00",
                "\r\n",
            ),
            *("a" * 43, "a" * 5000, "\udcff", "%", "%zz", "+", "\u212a", "{", "[1]"),
        ]
    ),
    targets,
    st.text(max_size=12),
)


STATES: Final = tuple((f"state={{state{n}}}",) for n in range(5))
bases = weighted(
    (12, ()),
    *((2, (*state, "code=sekret-7")) for state in STATES),
    *((1, (*state, "error=access_denied")) for state in STATES),
    *((1, (*state, f"id_token={SECRET}.e30.", "token_type=x")) for state in STATES),
    *((1, (f"__sso_fragment={state[0].replace('=', '%3D')}",)) for state in STATES),
    *((3, (f"with={way}",)) for way in WAYS),
    (2, (f"iss={quote_plus(ISSUER)}",)),
    (9, (f"iss={quote_plus(ISSUER)}", "sid=s-1")),
    (9, ("logout=",)),
    *((3, (what,)) for what in ("logout=get", "info=html", "info=json")),
)


@st.composite
def parameters(draw: st.DrawFn) -> str:
    """Draw a query or a form."""
    pairs = list(draw(bases))
    for key in draw(st.lists(keys, max_size=5)):
        value = draw(words)
        if key in SECRETS:
            value = SECRET + value
        elif key in {"to", "target_link_uri"}:
            value = draw(targets)
        elif key == "state" and draw(st.booleans()):
            pairs.append(f"{key}={{state{draw(st.integers(0, 4))}}}")
            continue
        text = quote_plus(value, errors="surrogateescape")
        pairs.append(f"{key}={text}")
    text = draw(st.sampled_from(["&", "&", "&", "&", ";", "&&"])).join(pairs)
    if draw(st.integers(0, 9)) == 0:
        text += draw(st.sampled_from(["%", "%zz", "&=", "&&;", "=", "%00", "&state"]))
    return text


cookies = st.tuples(
    st.sampled_from(
        [
            *("own", "own", "own", "own", "all", "all", "cut", "twice", "swapped"),
            *("longer", "chunk", "chunks", "text", "none"),
        ]
    ),
    st.text('ab.-_~="%1', max_size=9),
)
sites = st.sampled_from(["same-origin", "none", "same-site", "cross-site", "x", ""])
ORIGINS: Final = ("https://app.example.com", "null", ISSUER, HTML)
accepts = st.sampled_from(
    ["text/html", "text/html", "application/json", "*/*", "text/html;q=x", "", ",;q=,"]
)
FORM: Final = "application/x-www-form-urlencoded"
types = weighted(
    *((9, FORM), (1, f"{FORM}; charset=utf-16"), (1, "application/json")),
    *((1, "multipart/form-data; boundary=x"), (1, "")),
)


OTHER_METHODS: Final = ("HEAD", "OPTIONS", "DELETE", "BREW")
NAVIGATION: Final = (
    *(("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate")),
    ("Sec-Fetch-Dest", "document"),
)
SCRIPT: Final = (("Accept", "*/*"), ("Sec-Fetch-Mode", "cors"))
OWN: Final = ("Sec-Fetch-Site", "same-origin")
OTHERS: Final = ("Sec-Fetch-Site", "cross-site")
senders = weighted(
    *((4, (*NAVIGATION, OWN)), (3, (*NAVIGATION, OTHERS)), (1, NAVIGATION)),
    *((2, (*SCRIPT, OWN)), (1, (*SCRIPT, OTHERS)), (3, None)),
)


@st.composite
def fields(draw: st.DrawFn) -> tuple[tuple[str, str], ...]:
    """Draw fields of which browsers send some."""
    given = draw(senders)
    if given is None:
        given = [("Accept", draw(accepts)), ("Sec-Fetch-Site", draw(sites))]
        mode = draw(st.sampled_from(["navigate", "cors", "no-cors", ""]))
        dest = draw(st.sampled_from(["document", "iframe", "empty"]))
        given += [("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest)]
    extra = [
        *(("X-Requested-With", "x"), ("Sec-Purpose", "prefetch"), ("Accept", "a/b")),
        *(("Content-Encoding", "gzip"), ("Accept-Language", "de,\u00e4;q=x")),
        *(
            ("Access-Control-Request-Method", "GET"),
            ("Referer", "https://evil.example"),
        ),
        ("Authorization", "Bearer x"),
    ]
    more = draw(weighted((9, ()), *((1, (each,)) for each in extra)))
    origin = draw(weighted((4, ""), *((1, each) for each in ORIGINS)))
    given = [*given, *more, ("Origin", origin)]
    return tuple((name, value) for name, value in given if value)


@st.composite
def requests(draw: st.DrawFn, endpoint: str) -> Sent:
    """Draw a request for *endpoint*."""
    method = draw(weighted((12, "GET"), (8, "POST"), *((1, m) for m in OTHER_METHODS)))
    posted = method == "POST"
    given = draw(fields())
    if posted:
        kind = draw(types)
        given += (("Content-Type", kind),) if kind else ()
    return Sent(
        method=method,
        path=urljoin("/.sso/", endpoint.format(quote(draw(names), safe="%./"))),
        query=draw(parameters()),
        cookies=tuple(draw(st.lists(cookies, min_size=1, max_size=2))),
        fields=given,
        form=draw(parameters()) if posted else None,
    )


class Fuzz:
    """
    A site, and who was there: Alice, who is logged in, and others who never were.

    Attributes:
        site: The site.
        alice: Her cookies.
        begun: Cookies of logins that have begun.
        states: The states of these.
    """

    def __init__(self, kind: str) -> None:
        self.site = EndpointsScene(kind)
        self.alice, self.begun = Browser(), Browser()
        self.site.log_in(self.alice)
        self.states = [self.site.begin(self.begun, name) for name in WAYS]
        self.logout = Browser(**self.alice.cookies)
        self.site.page("/.sso/logout", self.logout, b"Sec-Fetch-Site: same-origin")
        self.alice.cookies.clear()
        self.site.log_in(self.alice)

    def fill(self, text: str) -> str:
        """Put states where they belong."""

        def state(match: re.Match[str]) -> str:
            number = int(match[1])
            return self.states[number] if number < len(self.states) else SECRET

        return re.sub(r"\{state(\d)\}", state, text)

    def cookies(self, sent: Sent) -> tuple[str, bool]:  # noqa: C901
        """Give a Cookie field, and whether it is one of who is logged in."""
        pairs: list[tuple[str, str]] = []
        is_alice = False
        mine, others = self.alice.cookies, {**self.begun.cookies, **self.logout.cookies}
        for what, text in sent.cookies:
            match what:
                case "own":
                    pairs += mine.items()
                    is_alice = True
                case "all":
                    pairs += [*mine.items(), *others.items()]
                    is_alice = True
                case "cut":
                    pairs += [(n, v[: len(v) // 2]) for n, v in others.items()]
                case "twice":
                    pairs += [*others.items(), *others.items()]
                case "swapped":
                    pairs += zip(others, [*others.values()][1:], strict=False)
                    pairs += [("__Host-sso", v) for v in others.values()][:1]
                case "longer":
                    pairs += [(n, v + text) for n, v in others.items()]
                case "chunk":
                    pairs += [("__Host-sso.1", text), ("__Host-sso.99", text)]
                case "chunks":
                    pairs += [(f"__Host-sso.{i}", text) for i in range(40)]
                case "text":
                    pairs += [(f"__Host-sso-{text}", text), ("__Host-sso", text)]
                case _:
                    pass
        return "; ".join(f"{name}={value}" for name, value in pairs), is_alice

    def send(self, sent: Sent) -> tuple[Seen, bool]:
        """Send a request, and give the answer, and whether Alice could have sent it."""
        query = self.fill(sent.query)
        form = None if sent.form is None else self.fill(sent.form)
        cookies, is_alice = self.cookies(sent)
        filled = attrs.evolve(sent, query=query, form=form)
        return self.site.send(*filled.octets(cookies)), is_alice

    def secrets(self) -> list[str]:
        """Give what must be in no log."""
        found = [*self.states, SECRET, self.site.provider.nonce]
        for browser in (self.alice, self.begun, self.logout):
            found += [v for n, v in browser.cookies.items() if not n.endswith("tries")]
        return found


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines: list[str] = []

    @implementer(ILogObserver)
    def note(event: LogEvent) -> None:
        lines.append(formatEvent(event) + str(event.get("log_failure", "")))

    globalLogPublisher.addObserver(note)
    yield lines
    globalLogPublisher.removeObserver(note)


def check(seen: Seen, *, known: bool, reason: str) -> None:
    """Check what has to be so whatever was sent."""
    # Who brings an error of the provider hears that it is one: 502.
    ours = seen.status >= 500 and reason != "provider-error"
    assert not ours or seen.status == 501, seen
    given: dict[str, list[str]] = {}
    for name, value in seen.headers:
        given.setdefault(name, []).append(value)
    for location in given.get("location", []):
        is_path = re.fullmatch(r"/(?![/\\])[!-~]*", location)
        assert is_path or location.startswith(OWN_LOCATIONS), location
        assert "x7" not in location or "<" not in location
    kept = [c for c in given.get("set-cookie", []) if "Max-Age=0" not in c]
    if not known:
        assert not [c for c in kept if re.match(r"__Host-sso(\.\d+)?=.", c)], kept
    if "set-cookie" in given or "location" in given or "access-1" in seen.body:
        assert "no-store" in given["cache-control"][0], seen
    html = given.get("content-type", [""])[0].startswith("text/html")
    if html:
        assert "<x7" not in seen.body
        assert "\"'&gt;" not in seen.body
    if "access-1" in seen.body:
        assert known
        assert not html
    assert all(c.isprintable() for _, value in seen.headers for c in value)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_endpoint_fails_or_gives_away(endpoint: str, logged: list[str]) -> None:
    examples = EXAMPLES or (120 if endpoint in BUSY else 30)
    pairs = st.tuples(requests(endpoint), requests(endpoint))

    @given(kind=st.sampled_from(sorted(MAKERS)), sent=pairs)
    @settings(bounded, max_examples=examples)
    def look(kind: str, sent: tuple[Sent, ...]) -> None:
        fuzz = Fuzz(kind)
        del logged[:]
        for each in sent:
            seen, known = fuzz.send(each)
            reason = fuzz.site.scene.reasons()[-1]
            check(seen, known=known, reason=reason)
            reasons.add(reason)
        for secret in fuzz.secrets():
            assert not any(secret in line for line in logged), secret

    reasons: set[str] = set()
    with unmeasured():
        look()
    assert reasons >= ENDPOINTS[endpoint]
