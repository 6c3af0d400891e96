"""
Whatever is sent: the backend gets exactly what was decided on, or nothing.

What to expect is said anew here, in the simplest way, by rules and not by the
proxy's code.  ``SSO_PROXY_EXAMPLES=20000`` looks longer, and elsewhere each time.
"""

import itertools
import json
import os
import re
import string

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attacks.conftest import Scene
from tests.attacks.test_payloads import OURS
from tests.support.raw_client import Got
from tests.support.recorder import Seen
from tests.support.unmeasured import unmeasured

EXAMPLES = int(os.environ.get("SSO_PROXY_EXAMPLES", "0"))
bounded = settings(
    max_examples=EXAMPLES or 150,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

UNRESERVED = string.ascii_letters + string.digits + "-._~"
END = b"GET /end HTTP/1.1\r\nHost: end\r\nConnection: close\r\n\r\n"


@attrs.frozen(kw_only=True)
class Asked:
    """A request to be sent: its parts, and what is wrong with it, if anything."""

    method: str
    target: str
    host: str
    fields: tuple[tuple[str, str], ...] = ()
    chunks: tuple[bytes, ...] | None = None
    body: bytes = b""
    flaw: str = ""

    def octets(self) -> bytes:
        """Serialise it, with its flaw."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{name}: {value}" for name, value in self.fields]
        body = self.body
        if self.chunks is not None:
            lines.append("Transfer-Encoding: chunked")
            body = b"".join(b"%X;x=y\r\n%b\r\n" % (len(c), c) for c in self.chunks)
            body += b"0\r\nX-Remote-User: trailer\r\n\r\n"
        elif body:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        flaws = {
            "": head,
            "two-hosts": head.replace(b"\r\n", b"\r\nHost: other\r\n", 1),
            "bare-lf": head.replace(b"\r\n", b"\n", 1),
            "hidden": head.replace(b"\r\n\r\n", b"\r\nX: a\nX-Remote-User: b\r\n\r\n"),
            "fold": head.replace(b"\r\n\r\n", b"\r\n folded: x\r\n\r\n"),
            "cl-and-te": head[:-2]
            + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "connection": head[:-2] + b"Connection: x_remote-USER\r\n\r\n",
            "blank-colon": head[:-2] + b"Content-Length : 7\r\n\r\n",
            "nul": head[:-2] + b"X: a\0b\r\n\r\n",
            "length-sign": head[:-2] + b"Content-Length: +1\r\n\r\n",
        }
        return flaws[self.flaw] + body


def decoded(part: str) -> str | None:
    """Say what a character or an escape is in a canonical path; None if it may not."""
    if part[0] != "%":
        return part
    octet = int(part[1:], 16)
    if octet < 32 or octet == 127:
        return None
    return chr(octet) if chr(octet) in UNRESERVED else f"%{octet:02X}"


def canonical(path: str) -> str | None:
    """Say what a path is by RFC 3986 6.2.2, or None if two readers could differ."""
    if re.search(r"[^A-Za-z0-9\-._~!$&'()*+,;=:@%/]|%(?![0-9A-Fa-f]{2})", path):
        return None
    parts = [decoded(part) for part in re.findall(r"%..|.", path)]
    text = "".join(part or "" for part in parts)
    if None in parts or re.search("%C[01]%[89AB]|%E0%[89]|%F0%8", text):
        return None  # a control character, or overlong UTF-8
    kept: list[str] = []
    last = ""
    for last in text.split("/")[1:]:
        if last == "..":
            if not kept:
                return None
            kept.pop()
        elif re.fullmatch(r"\.\.?(;|%3B).*", last):
            return None
        elif last not in ("", "."):
            kept.append(last)
    tail = "/" if kept and last in ("", ".", "..") else ""
    return "/" + "/".join(kept) + tail


def managed(name: str) -> bool:
    """Say whether a field is ours to set, however it is written."""
    folded = re.sub("[^a-z0-9]", "-", name.lower())
    return folded in MANAGED or folded.startswith(("x-forwarded-", "x-claim-"))


MANAGED = {"x-remote-user", "proxy", "keep-alive", "x-real-ip", "via", "forwarded"}
MANAGED |= {"content-length", "transfer-encoding", "host", "x-auth-user", "te"}


def expected(asked: Asked) -> tuple[int, str]:
    """Say which answer is due and which path the backend gets."""
    path, _, _ = asked.target.partition("?")
    found = canonical(path)
    if asked.flaw or found is None:
        return 400, ""
    if re.search("%2F|%5C", found) and not found.startswith("/slashes/"):
        return 400, ""
    if not found.startswith("/strip/") and re.search(";|%3B", found):
        return 400, ""
    if re.match("/token/|/admin(@|%40)site/", found):
        return 401, ""
    if found.startswith("/strip/"):
        return 0, ""  # its rules are tested elsewhere
    return 200, found


segments = st.one_of(
    st.sampled_from(["token", "slashes", "reject", "admin@site", "admin%40site"]),
    st.sampled_from(["", ".", "..", "%2e", "%2E%2e", "..;a", ";x", "%74oken", "a%2Fb"]),
    st.sampled_from(
        ["%5c", "%00", "%0d", "%c0%af", "%", "%zz", "a b", "a\\b", "%3B.."]
    ),
    st.text("ab~-._%41;=", max_size=5),
)
paths = st.lists(segments, max_size=5).map(lambda parts: "/" + "/".join(parts))
queries = st.one_of(
    st.just(""),
    st.text("ab=&;%/?.[]{}|", max_size=12).map(lambda text: "?" + text),
)
names = st.one_of(
    st.sampled_from(
        ["X-Remote-User", "x_remote_user", "X.Claim-Email", "X-FORWARDED-FOR", "Proxy"]
    ),
    st.sampled_from(
        ["Accept", "X-Kept", "x_kept", "X-Real.IP", "Via", "Forwarded", "TE"]
    ),
    st.sampled_from(["Content_Length", "Transfer.Encoding", "X-Auth_User", "X-a!b"]),
    st.text(string.ascii_letters + "-_", min_size=1, max_size=8).map("Y".__add__),
)
values = st.text(
    string.ascii_letters + string.digits + " ,;=\"'()\xe4\t", max_size=12
).map(lambda text: text.strip(" \t"))
bodies = st.binary(max_size=60)


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    """Draw a request."""
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"]))
    target = draw(paths).replace(" ", "%20") + draw(queries)
    chunks = None
    if draw(st.booleans()):
        pieces = draw(st.lists(bodies.filter(bool), max_size=4))
        chunks, body = tuple(pieces), b"".join(pieces)
    else:
        body = draw(bodies)
    flaw = draw(
        st.sampled_from(
            [""] * 12
            + [
                *("two-hosts", "bare-lf", "hidden", "fold", "cl-and-te", "connection"),
                *("blank-colon", "nul", "length-sign"),
            ]
        )
    )
    return Asked(
        method=method,
        target=target,
        host=draw(st.sampled_from(["a", "B.example", "c.", "[::1]:80", "d:8080"])),
        fields=tuple(draw(st.lists(st.tuples(names, values), max_size=5))),
        chunks=chunks,
        body=body,
        flaw=flaw,
    )


HOSTS = {"a": "a", "B.example": "b.example", "c.": "c", "[::1]:80": "[::1]"}
HOSTS |= {"d:8080": "d:8080"}


def check_arrived(request: Asked, path: str, seen: Seen) -> None:
    """Check that what arrived is the request, in its one form and no more."""
    query = request.target.partition("?")
    assert seen.method == request.method
    assert seen.target == path + query[1] + query[2]
    assert seen.values("host") == [HOSTS[request.host]]
    assert seen.body == request.body
    assert seen.whole
    assert seen.values("x-remote-user") == []
    forwarded_host = seen.values("x-forwarded-host")
    assert forwarded_host == [HOSTS[request.host]]
    framing = {"content-length", "transfer-encoding"}
    sent = [(n.lower(), v) for n, v in request.fields if not managed(n)]
    got = [(n.lower(), v) for n, v in seen.headers if n.lower() not in OURS | framing]
    assert got == sent


def check_all(requests: list[Asked], answers: list[Got], seen: list[Seen]) -> None:
    """Check answers and arrivals against what is due, request by request."""
    arrived = iter(seen)
    for request, got in zip([*requests, None], answers, strict=False):
        if request is None:
            assert got.status == 200
            break
        status, path = expected(request)
        if not status:
            status = got.status
            path = canonical(request.target.partition("?")[0]) or ""
            path = re.sub("(;|%3B)[^/]*", "", path)
            path = canonical(path) or ""
        assert got.status == status, request
        if got.status == 200:
            one = next(arrived)
            check_arrived(request, path, one)
            if request.method != "HEAD":
                assert got.body == str(one.number).encode()
        if got.values("connection") == ["close"]:
            break
    assert list(arrived) == []


@given(data=st.data())
@bounded
def test_the_backend_gets_what_was_decided_on_or_nothing(
    scene: Scene, data: st.DataObject
) -> None:
    requests = data.draw(st.lists(asked(), min_size=1, max_size=3))
    octets = b"".join(request.octets() for request in requests)
    cuts = data.draw(st.lists(st.integers(0, len(octets)), max_size=6).map(sorted))
    ends = [0, *cuts, len(octets)]
    pieces = [octets[i:j] for i, j in itertools.pairwise(ends) if i < j]
    heads = [i for i, request in enumerate(requests) if request.method == "HEAD"]
    scene.recorder.clear()
    with scene.client() as client:
        pause = data.draw(st.sampled_from([0.0, 0.0, 0.0, 0.002]))
        client.send(*pieces, END, pause=pause)
        answers = client.read_to_end(heads=heads)
    assert answers, "closed without a word"
    assert all(got.whole for got in answers)
    assert scene.recorder.garbage == []
    seen = [each for each in scene.recorder.seen if each.path != "/end"]
    whole = [each for each in seen if each.whole]
    # The head of a request whose body turns out to be none may have gone ahead.
    assert len(seen) - len(whole) <= 1
    check_all(requests, answers, whole)


def test_the_record_tells_what_the_backend_got(scene: Scene) -> None:
    """Method, host and path of the audit record are those that were decided on."""
    gathered: dict[str, Seen] = {}

    @given(request=asked())
    @settings(bounded, max_examples=60)
    def gather(request: Asked) -> None:
        scene.recorder.clear()
        with scene.client() as client:
            heads = [0] if request.method == "HEAD" else []
            client.send(request.octets(), END).read_to_end(heads=heads)
        seen = [each for each in scene.recorder.seen if each.path != "/end"]
        gathered.update((each.values("x-request-id")[0], each) for each in seen)

    with unmeasured():
        gather()
    assert len(gathered) >= 10
    scene.audited(scene.get("/sentinel").values("x-request-id")[0])
    lines = (scene.directory / "audit.log").read_text().splitlines()
    records = {record["id"]: record for record in map(json.loads, lines)}
    for request_id, seen in gathered.items():
        record = records[request_id]
        assert record["method"] == seen.method
        assert record["path"] == seen.path
        assert record["host"] == re.sub(r":\d+$", "", seen.values("host")[0])
        assert record["decision"] == "permit"
