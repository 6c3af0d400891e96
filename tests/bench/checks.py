"""What every proxy must do before its costs mean anything."""

from tests.bench.browsing import check_sessions
from tests.bench.client import BrokenAnswerError, Client, context_for, request
from tests.bench.material import KIB, MIB, Material
from tests.bench.peers import APACHE, NGINX, OAUTH2, OURS, OURS_2, PUBTKT, Target
from tests.bench.procs import BenchError
from tests.bench.ticketing import PATH

WITHOUT_TOKENS = (NGINX, APACHE, PUBTKT)
WITH_PROOFS = (OAUTH2, OURS, OURS_2)
EXCHANGING = (OURS, OURS_2)
TICKETING = (PUBTKT, OURS, OURS_2)


def check(target: Target, things: Material) -> None:
    """
    Ask *target* for all that is measured, and for what it must refuse.

    Raises:
        BenchError: It answers other than it should.
    """
    expect(target, "/1k", 200, _get(target, things, "/1k"))
    expect(target, "/10m", 200, _get(target, things, "/10m", length=10 * MIB))
    expect(target, "/upload", 200, _post(target, things))
    expect(target, "/api/1k", 200, _get(target, things, "/api/1k", things.token()))
    expect(target, "/opaque/1k", 200, _get(target, things, "/opaque/1k", "opaque"))
    _check_proofs(target, things)
    if target.name not in WITHOUT_TOKENS:
        expect(target, "no token", 401, _get(target, things, "/api/1k"))
        for what, token in things.bad_tokens.items():
            expect(target, what, 401, _get(target, things, "/api/1k", token))
    if target.name in EXCHANGING:
        path = "/exchanged/1k"
        expect(target, path, 200, _get(target, things, path, things.token()))
        expect(target, f"{path}, no token", 401, _get(target, things, path))
        path = "/ruled/1k"
        expect(target, path, 200, _get(target, things, path, things.token()))
        expect(target, f"{path}, no token", 401, _get(target, things, path))
    check_sessions(target, things)
    _check_tickets(target, things)
    _check_client_certificate(target, things)


def _check_proofs(target: Target, things: Material) -> None:
    """Show a token with its proof, and again."""
    if target.name not in WITH_PROOFS:
        return
    host = f"localhost:{target.port}"
    token, proof = things.proving.pair(f"https://{host}/dpop/1k")
    fields = [("Authorization", f"DPoP {token}"), ("DPoP", proof)]
    octets = request("/dpop/1k", host=host, more=fields)
    client = Client.connect(target.port, context_for(things))
    try:
        for what, status in (("a proof", 200), ("a proof again", 401)):
            client.send(octets)
            expect(target, what, status, client.read_answer().status)
    finally:
        client.close()


def _check_tickets(target: Target, things: Material) -> None:
    """Show a ticket, another user's with its signature, and none."""
    if target.name not in TICKETING:
        return
    good = things.ticketing.cookie()
    shown = {"a ticket": (good, 200), "another's": (good.replace("0", "1", 1), 307)}
    client = Client.connect(target.port, context_for(things))
    try:
        for what, (cookie, status) in {**shown, "no ticket": ("a=b", 307)}.items():
            client.send(request(PATH, more=[("Cookie", cookie)]))
            expect(target, what, status, client.read_answer().status)
    finally:
        client.close()


def expect(target: Target, what: str, status: int, got: int) -> None:
    """
    Compare a status.

    Raises:
        BenchError: It is another.
    """
    if got != status:
        raise BenchError(f"{target.name}: {what}: {got} instead of {status}")


def _get(
    target: Target,
    things: Material,
    path: str,
    token: str | None = None,
    length: int = KIB,
) -> int:
    client = Client.connect(target.port, context_for(things))
    try:
        answer = client.get(path, token=token)
    finally:
        client.close()
    if answer.status == 200 and answer.length != length:
        raise BenchError(f"{target.name}: {path}: {answer.length} octets, not {length}")
    return answer.status


def _post(target: Target, things: Material) -> int:
    client = Client.connect(target.port, context_for(things))
    try:
        return client.post("/upload", 10 * MIB).status
    finally:
        client.close()


def _check_client_certificate(target: Target, things: Material) -> None:
    context = context_for(things, with_certificate=True)
    client = Client.connect(target.mtls_port, context)
    expect(target, "with a client certificate", 200, client.get("/1k").status)
    client.close()
    try:
        client = Client.connect(target.mtls_port, context_for(things))
        try:
            status = client.get("/1k").status
        finally:
            client.close()
    except (OSError, BrokenAnswerError):
        return  # in TLS 1.3 the refusal comes after the client's last message
    if status == 200:
        raise BenchError(f"{target.name}: lets in a client without certificate")
