"""Keys are proved with each request, over real TLS, through the whole proxy."""

import base64
from collections.abc import Callable, Iterator

import pytest

from sso_proxy.net.tls.token_binding_client import OFFER
from sso_proxy.specs.token_binding import REFERRED
from sso_proxy.testing.token_binding import BindingKey, make_binding, make_header
from tests.support.binding_scene import (
    BindingScene,
    binding_scene,
    handshake_is_refused,
)

FIELD = "Sec-Token-Binding"
PROVIDED = "Sec-Provided-Token-Binding-ID"
REFERRED_ID = "Sec-Referred-Token-Binding-ID"
OTHER = "Sec-Other-Token-Binding-ID"
CONTEXT = "Sec-Token-Binding-Context"
TOLD = (PROVIDED, REFERRED_ID, OTHER, CONTEXT)


@pytest.fixture(scope="module")
def _scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BindingScene]:
    with binding_scene(tmp_path_factory.mktemp("bound")) as scene:
        yield scene


@pytest.fixture
def scene(_scene: BindingScene) -> BindingScene:
    _scene.seen()
    return _scene


def _told(scene: BindingScene) -> dict[str, str]:
    """What the backend was told of keys with the last request."""
    seen = scene.seen()[-1]
    assert seen.values(FIELD) == []
    return {name: value for name in TOLD for value in seen.values(name)}


# What backends are told


def test_the_backend_is_told_the_key_and_what_else_it_asks_for(
    scene: BindingScene,
) -> None:
    client, other = scene.connect(), BindingKey.create(1)
    assert client.prove(path="/id/").status == 200
    assert _told(scene) == {PROVIDED: client.key.id.encoded}
    header = make_header(
        make_binding(client.key, client.bound),
        make_binding(other, client.bound, REFERRED),
        make_binding(other, client.bound, 0x4D),
    )
    assert client.ask((FIELD, header)).status == 200
    told = _told(scene)
    context = base64.urlsafe_b64decode(told.pop(CONTEXT) + "=")
    assert context == b"\x01\x00\x02" + client.bound
    assert told == {
        PROVIDED: client.key.id.encoded,
        REFERRED_ID: other.id.encoded,
        OTHER: f"4d.{other.id.encoded}",
    }
    assert client.prove(path="/untold/").status == 200
    assert _told(scene) == {}


def test_an_application_in_this_process_is_told_alike(scene: BindingScene) -> None:
    for _ in range(2):
        client = scene.connect()
        said = (PROVIDED, BindingKey.create().id.encoded)
        for _ in range(2):
            got = client.prove(said, path="/hosted/")
            assert (got.status, got.body.decode()) == (200, client.key.id.encoded)


@pytest.mark.parametrize("listener", [0, 1])
def test_what_clients_say_of_keys_themselves_is_never_passed_on(
    scene: BindingScene, listener: int
) -> None:
    client, victim = scene.connect(listener), BindingKey.create()
    said = [(name, victim.id.encoded) for name in TOLD]
    said += [(name.replace("-", "_"), victim.id.encoded) for name in TOLD]
    said += [(name.upper(), victim.id.encoded) for name in TOLD]
    got = client.prove(*said) if client.bound else client.ask(*said)
    assert got.status == 200
    told = _told(scene)
    assert told.get(PROVIDED) == (client.key.id.encoded if client.bound else None)
    assert victim.id.encoded not in "".join(told.values())


def test_no_field_of_ours_can_be_taken_away(scene: BindingScene) -> None:
    client = scene.connect()
    for name in (FIELD, PROVIDED):
        assert client.prove(("Connection", name)).status == 400
        client = scene.connect()
    assert scene.seen() == []


# Requests that prove nothing


@pytest.mark.parametrize(
    "fields",
    [
        lambda _: (),
        lambda proof: ((FIELD, proof), (FIELD, proof)),
        lambda proof: ((FIELD, f"{proof}, {proof}"),),
        lambda _: ((FIELD, ""),),
        lambda _: ((FIELD, "AAA"),),
        lambda proof: ((FIELD, proof[:-4] + "BAAA"),),
        lambda proof: ((FIELD, proof[:100] + "AAAA" + proof[104:]),),
        lambda proof: (("Sec_Token_Binding", proof),),
    ],
    ids=["none", "two", "joined", "empty", "no-binding", "cut", "changed", "alias"],
)
def test_a_request_without_one_good_proof_is_refused(
    scene: BindingScene, fields: Callable[[str], tuple[tuple[str, str], ...]]
) -> None:
    """RFC 8473 section 2: also after good ones on the same connection."""
    client = scene.connect()
    assert client.prove().status == 200
    assert client.ask(*fields(client.proof)).status == 400
    assert client.prove().status == 200
    assert len(scene.seen()) == 2


def test_a_proof_where_nothing_was_agreed_on_is_refused(scene: BindingScene) -> None:
    proof = scene.connect().proof
    for offer in (None, b"\x00\x12\x01\x02"):
        client = scene.connect(offer=offer)
        assert client.ask((FIELD, proof)).status == 400
        assert client.ask().status == 200
    assert [seen.values(PROVIDED) for seen in scene.seen()] == [[], []]


def test_a_listener_without_it_takes_no_notice(scene: BindingScene) -> None:
    proof = scene.connect().proof
    client = scene.connect(1)
    assert client.bound == b""
    assert client.ask((FIELD, proof)).status == 200
    assert _told(scene) == {}


def test_a_malformed_offer_gets_nobody_in(scene: BindingScene) -> None:
    assert handshake_is_refused(scene, offer=b"\x01\x00\x02\x02")
    assert scene.connect().prove().status == 200


# Each connection for itself


def test_a_captured_header_is_refused_on_every_other_connection(
    scene: BindingScene,
) -> None:
    """Also after many others, and though the same octets were good a moment ago."""
    victim = scene.connect()
    field = (FIELD, victim.proof)
    assert victim.ask(field).status == 200
    assert victim.ask(field).status == 200
    thief = scene.connect()
    for _ in range(20):
        other = scene.connect()
        assert other.ask(field).status == 400
        assert other.prove().status == 200
        assert thief.ask(field).status == 400
        assert victim.ask(field).status == 200
    assert thief.prove().status == 200
    assert thief.ask(field).status == 400
    ids = [seen.values(PROVIDED) for seen in scene.seen()]
    assert ids.count([victim.key.id.encoded]) == 22


def test_a_token_and_header_that_were_seen_are_of_no_use_elsewhere(
    scene: BindingScene,
) -> None:
    """What was decided for a head is found by its octets, on connections alike."""
    victim = scene.connect()
    fields = (FIELD, victim.proof), scene.token()
    for _ in range(3):
        assert victim.ask(*fields, path="/token/").status == 200
    for _ in range(3):
        assert scene.connect().ask(*fields, path="/token/").status == 400
    thief = scene.connect()
    assert thief.prove(fields[1], path="/token/").status == 200
    assert thief.ask(*fields, path="/token/").status == 400
    assert scene.seen()[-1].values(PROVIDED) == [thief.key.id.encoded]


def test_nothing_that_was_decided_is_kept_for_other_connections(
    scene: BindingScene,
) -> None:
    for offer in (OFFER, None):
        for _ in range(3):
            client, token = scene.connect(offer=offer), scene.token()
            ask = client.prove if offer else client.ask
            assert ask(token, path="/token/").status == 200
    plain, token = scene.connect(1), scene.token()
    for _ in range(3):
        assert plain.ask(token, path="/token/").status == 200
    known = [len(each.site.rules.known) for each in scene.gateway.listeners]
    assert known[0] == 0
    assert known[1] > 0


def test_a_request_that_differs_in_its_token_keeps_the_key(scene: BindingScene) -> None:
    """It is decided on by what is known of the one before."""
    client = scene.connect()
    proof = (FIELD, client.proof)
    for subject in ("alice", "bob", "carol", "alice"):
        got = client.ask(proof, scene.token(subject), path="/token/")
        assert got.status == 200
    seen = scene.seen()
    assert {each.values(PROVIDED)[0] for each in seen} == {client.key.id.encoded}
    users = [each.values("X-Remote-User")[0] for each in seen]
    assert users == ["alice", "bob", "carol", "alice"]
    for token in (scene.token("alice"), scene.token("dave")):
        assert client.ask(token, path="/token/").status == 400


def test_a_connection_may_prove_several_keys_one_after_the_other(
    scene: BindingScene,
) -> None:
    client = scene.connect()
    keys = [BindingKey.create() for _ in range(3)]
    for client.key in [*keys, *keys]:
        assert client.prove().status == 200
    told = [seen.values(PROVIDED)[0] for seen in scene.seen()]
    assert told == [key.id.encoded for key in [*keys, *keys]]


# Names, certificates, reloads


def test_it_goes_with_a_name_and_a_client_certificate(scene: BindingScene) -> None:
    client = scene.connect(4, sni="mtls.example", certificate=scene.alice)
    assert client.prove(host="mtls.example").status == 200
    assert _told(scene)[PROVIDED] == client.key.id.encoded
    assert client.ask(host="mtls.example").status == 400
    assert handshake_is_refused(scene, listener=4, sni="mtls.example")
    for name in ("named.example", "other.example", None):
        named = scene.connect(sni=name)
        assert named.prove(host="named.example").status == 200
        assert _told(scene)[PROVIDED] == named.key.id.encoded


def test_new_certificates_and_a_reload_change_nothing(scene: BindingScene) -> None:
    before = scene.connect(sni="named.example")
    field = (FIELD, before.proof)
    assert before.ask(field).status == 200
    scene.write_certificate("second")
    scene.reload()
    assert before.ask(field).status == 200
    assert before.ask().status == 400
    after = scene.connect()
    assert after.ask(field).status == 400
    assert after.prove().status == 200


# Behind a terminator


def test_a_trusted_terminator_is_believed_where_a_listener_says_so(
    scene: BindingScene,
) -> None:
    key = BindingKey.create()
    said = (PROVIDED, key.id.encoded), (OTHER, f"4d.{key.id.encoded}")
    assert scene.connect_plainly(proxy=True).ask(*said).status == 200
    assert _told(scene) == dict(said)
    assert scene.connect_plainly(proxy=True).ask().status == 200
    assert _told(scene) == {}


def test_nobody_else_is_believed(scene: BindingScene) -> None:
    said = (PROVIDED, BindingKey.create().id.encoded)
    assert scene.connect_plainly(proxy=False).ask(said).status == 200
    assert _told(scene) == {}
    assert scene.connect(1, proxy=True).ask(said).status == 200
    assert _told(scene) == {}
    client = scene.connect(0, proxy=True)
    assert client.prove(said).status == 200
    assert _told(scene)[PROVIDED] == client.key.id.encoded


@pytest.mark.parametrize(
    "said",
    [
        ((PROVIDED, "AAA"),),
        ((PROVIDED, BindingKey.create().id.encoded),) * 2,
        ((REFERRED_ID, BindingKey.create().id.encoded),),
    ],
)
def test_what_a_terminator_says_in_another_form_is_refused(
    scene: BindingScene, said: tuple[tuple[str, str], ...]
) -> None:
    assert scene.connect_plainly(proxy=True).ask(*said).status == 400
    assert scene.seen() == []


def test_a_proxy_with_a_key_of_its_own_says_nothing_of_its_clients(
    scene: BindingScene,
) -> None:
    """Nobody could say whose key counts."""
    said = (PROVIDED, BindingKey.create().id.encoded)
    client = scene.connect(3, proxy=True)
    assert client.prove().status == 200
    assert client.prove(said).status == 400
    silent = scene.connect(3, proxy=True, offer=None)
    assert silent.ask(said).status == 200
    assert _told(scene)[PROVIDED] == said[1]


@pytest.mark.parametrize("path", ["/", "/.sso/none", "/missing"])
def test_every_path_needs_a_proof(scene: BindingScene, path: str) -> None:
    assert scene.connect().ask(path=path).status == 400
