"""Token Binding is agreed on as RFC 8472 says, with real handshakes, or not at all."""

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from sso_proxy.net.tls import probe, token_binding
from sso_proxy.net.tls.handshake import ConnectionState
from sso_proxy.net.tls.token_binding_client import OFFER, Offer, offer_on
from sso_proxy.specs.token_binding_handshake import (
    Parameters,
    build_parameters,
    negotiate,
    parse_parameters,
)
from sso_proxy.specs.token_binding_keys import TokenBindingError
from sso_proxy.testing.token_binding import BindingKey
from tests.net.tls.conftest import Shaken
from tests.specs.test_token_binding_handshake import EMS, INFO, SIGNAL, SUITE, hello
from tests.support.binding_lab import KEY, bind, ekm, proof_of, reason

if TYPE_CHECKING:
    from sso_proxy.net.tls.context import ListenerTls
    from tests.net.tls.conftest import Lab

V12, V13 = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION
NO_EXTENDED_MASTER_SECRET = 1
MTLS = {"client_certificate": "required", "client_ca": "ca.crt"}
KEYS = {parameters: BindingKey.create(parameters) for parameters in (0, 1, 2)}


@pytest.fixture
def tls(lab: "Lab") -> "ListenerTls":
    return lab.listener(token_binding=True)


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    observer = cast("ILogObserver", events.append)
    globalLogPublisher.addObserver(observer)
    yield events
    globalLogPublisher.removeObserver(observer)


# What is agreed on


def test_both_ends_agree_and_share_what_is_signed(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    offer, shaken = bind(lab, tls)
    assert offer.answer == b"\x01\x00\x01\x02"
    assert offer.agreed == 2
    assert ekm(shaken.client) == ekm(shaken.server)
    assert shaken.facts.version == "TLSv1.2"
    found = shaken.facts.read_token_bindings([proof_of(shaken)])
    assert found is not None
    assert found.provided == KEY.id
    assert found.context == b"\x01\x00\x02" + ekm(shaken.client)


@pytest.mark.parametrize("parameters", [0, 1, 2])
def test_each_kind_of_key_can_be_agreed_on(
    lab: "Lab", tls: "ListenerTls", parameters: int
) -> None:
    offer, shaken = bind(lab, tls, bytes((1, 0, 2, 99, parameters)))
    assert offer.agreed == parameters
    header = proof_of(shaken, KEYS[parameters])
    found = shaken.facts.read_token_bindings([header])
    assert found is not None
    assert found.provided == KEYS[parameters].id


def test_a_later_version_is_answered_with_ours(lab: "Lab", tls: "ListenerTls") -> None:
    assert bind(lab, tls, b"\x02\x07\x01\x02")[0].answer == b"\x01\x00\x01\x02"


@pytest.mark.parametrize(
    "data",
    [None, b"\x00\x12\x01\x02", b"\x00\x0a\x03\x02\x01\x00", b"\x01\x00\x02\x03\xff"],
    ids=["nothing", "draft-18", "draft-10", "unknown-keys"],
)
def test_without_a_common_offer_the_connection_is_like_any_other(
    lab: "Lab", tls: "ListenerTls", data: bytes | None
) -> None:
    offer, shaken = bind(lab, tls, data)
    assert offer.answer is None
    assert shaken.facts.read_token_bindings([]) is None
    assert reason(shaken, proof_of(shaken)) == "not-agreed"


@pytest.mark.parametrize(
    "data",
    [b"", b"\x01", b"\x01\x00", b"\x01\x00\x00", b"\x01\x00\x02\x02", OFFER + b"\0"],
)
def test_a_malformed_offer_ends_the_handshake(
    lab: "Lab", tls: "ListenerTls", data: bytes
) -> None:
    offer, shaken = bind(lab, tls, data)
    assert shaken.refused
    assert "decode error" in str(shaken.client_error)
    assert offer.answer is None


# What has to come with it


def test_without_extended_master_secret_nothing_is_agreed_on(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    offer, shaken = bind(lab, tls, options=NO_EXTENDED_MASTER_SECRET)
    assert offer.answer is None
    assert not shaken.facts.extended_master_secret
    assert shaken.facts.read_token_bindings([]) is None


def test_a_server_that_leaves_it_out_closes_the_connection(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    """The client has offered it, so that only the end shows that it is not there."""
    tls.context.set_options(NO_EXTENDED_MASTER_SECRET)
    _, shaken = bind(lab, tls)
    assert "without extended master secret" in str(shaken.error)


def _answers(lab: "Lab", tls: "ListenerTls", message: bytes) -> tuple[bool, bytes]:
    """Send a ClientHello; give whether Token Binding is agreed on, and the answer."""
    _, server, state = lab.begin(tls, lab.client_context(version=V12))
    assert state.token_binding is not None
    server.bio_write(b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message)
    with contextlib.suppress(SSL.WantReadError):
        server.do_handshake()
    return state.token_binding.agreed is not None, server.bio_read(1 << 16)


OFFERED = b"\x00\x18" + len(OFFER).to_bytes(2, "big") + OFFER
GROUPS = b"\x00\x0a\x00\x04\x00\x02\x00\x17"
ALGORITHMS = b"\x00\x0d\x00\x06\x00\x04\x04\x03\x08\x04"
POINTS = b"\x00\x0b\x00\x02\x01\x00"
REST = GROUPS + ALGORITHMS + POINTS + OFFERED
SUITES = b"\xc0\x2b" + SUITE
ANSWERED = b"\x00\x18\x00\x04\x01\x00\x01\x02"


def test_without_secure_renegotiation_nothing_is_agreed_on(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    """OpenSSL's clients always have it, so this one is made by hand."""
    for message in (
        hello(REST + EMS + INFO, SUITES),
        hello(EMS + REST, SUITES + SIGNAL),
    ):
        agreed, answer = _answers(lab, tls, message)
        assert agreed
        assert ANSWERED in answer
    agreed, answer = _answers(lab, tls, hello(REST + EMS, SUITES))
    assert not agreed
    assert answer.startswith(b"\x16\x03\x03")
    assert ANSWERED not in answer
    assert not _answers(lab, tls, hello(REST + INFO, SUITES))[0]


def test_a_client_hello_in_pieces_is_read_whole(lab: "Lab", tls: "ListenerTls") -> None:
    """Who looks at the first record misses what has to come with an offer."""
    message = hello(REST + EMS + INFO, SUITES)
    _, server, state = lab.begin(tls, lab.client_context(version=V12))
    for start in range(0, len(message), 20):
        piece = message[start : start + 20]
        server.bio_write(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece)
        with contextlib.suppress(SSL.WantReadError):
            server.do_handshake()
    assert state.token_binding is not None
    assert state.token_binding.agreed == 2
    assert ANSWERED in server.bio_read(1 << 16)


def test_an_offer_that_stands_twice_ends_the_handshake(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    with pytest.raises(SSL.Error):
        _answers(lab, tls, hello(REST + EMS + INFO + OFFERED, SUITES))


def test_tls_1_3_is_not_spoken(lab: "Lab", tls: "ListenerTls") -> None:
    assert bind(lab, tls, version=V13)[1].refused
    assert bind(lab, tls, version=V12)[0].agreed == 2


def test_no_session_is_resumed(lab: "Lab", tls: "ListenerTls") -> None:
    """A resumed one would have the extension left out, and other keying material."""
    context = lab.client_context()
    offer_on(context)
    _, first = bind(lab, tls, context=context)
    assert not tls.resumable
    offer, second = bind(lab, tls, context=context, session=first.session())
    assert offer.agreed == 2
    assert lib.SSL_session_reused(second.server._ssl) == 0  # noqa: SLF001
    assert ekm(first.client) != ekm(second.client)
    assert second.facts.read_token_bindings([proof_of(second)]) is not None


def test_a_session_of_another_listener_is_not_resumed(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    context = lab.client_context(version=V12)
    offer_on(context)
    _, first = bind(lab, lab.listener(), context=context)
    assert first.facts.read_token_bindings(["anything"]) is None
    offer, _ = bind(lab, tls, context=context, session=first.session())
    assert offer.agreed == 2


def test_renegotiation_is_refused_and_changes_nothing(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    _, shaken = bind(lab, tls)
    header = proof_of(shaken)
    shaken.client.renegotiate()
    for _ in range(3):
        for side, other in (
            (shaken.client, shaken.server),
            (shaken.server, shaken.client),
        ):
            with contextlib.suppress(SSL.Error):
                side.do_handshake()
            with contextlib.suppress(SSL.Error):
                side.recv(1)
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(side.bio_read(1 << 16))
    assert shaken.facts.read_token_bindings([header]) is not None


# Names and certificates


def test_a_name_with_another_certificate_agrees_alike(lab: "Lab") -> None:
    """The offer is read under one context, and answered under another."""
    files = lab.put("app", lab.pki.issue("app", server=True))
    tls = lab.listener({"host": ("app.example",), **files}, token_binding=True)
    for sni, subject in (("app.example", "CN=app"), (None, "CN=own")):
        offer, shaken = bind(lab, tls, sni=sni)
        assert shaken.server_subject() == subject
        assert offer.agreed == 2
        assert shaken.facts.read_token_bindings([proof_of(shaken)]) is not None


def test_a_client_with_a_certificate_has_both(lab: "Lab") -> None:
    tls = lab.listener(
        {"host": ("mtls.example",), **MTLS}, token_binding=True, client_ca="ca.crt"
    )
    _, shaken = bind(lab, tls, sni="mtls.example", certificate=lab.alice)
    assert shaken.certificate.verified
    assert shaken.facts.read_token_bindings([proof_of(shaken)]) is not None
    assert bind(lab, tls, sni="mtls.example")[1].refused


def test_a_listener_without_it_does_not_answer(lab: "Lab") -> None:
    offer, shaken = bind(lab, lab.listener(), version=V12)
    assert offer.answer is None
    assert shaken.state.token_binding is None
    assert shaken.facts.read_token_bindings(["anything"]) is None


def test_new_certificates_change_nothing_for_open_connections(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    _, before = bind(lab, tls)
    header = proof_of(before)
    lab.put("own", lab.pki.issue("new", server=True))
    again = lab.listener(token_binding=True)
    _, after = bind(lab, again)
    assert after.server_subject() == "CN=new"
    assert before.facts.read_token_bindings([header]) is not None
    assert reason(after, header) == "signature"
    assert after.facts.read_token_bindings([proof_of(after)]) is not None


# What goes wrong on our side


class _Failing(token_binding.Negotiation):
    """Fails at one place."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def __setattr__(self, name: str, value: object) -> None:
        if name == getattr(self, "place", None) and value:
            raise RuntimeError(name)
        object.__setattr__(self, name, value)


@pytest.mark.parametrize("place", ["allowed", "answer", "agreed"])
def test_what_a_callback_raises_ends_the_handshake(
    lab: "Lab", tls: "ListenerTls", place: str, logged: list[LogEvent]
) -> None:
    def prepare(state: ConnectionState) -> None:
        state.token_binding = _Failing(place)

    offer, shaken = _bind_prepared(lab, tls, prepare)
    assert shaken.error is not None
    assert offer.answer is None
    assert any("could not be agreed on" in event["log_format"] for event in logged)


def test_a_connection_that_nothing_is_known_of_fails(
    lab: "Lab", tls: "ListenerTls", logged: list[LogEvent]
) -> None:
    def prepare(state: ConnectionState) -> None:
        state.token_binding = None

    assert _bind_prepared(lab, tls, prepare)[1].error is not None
    assert logged


def test_what_breaks_without_an_offer_closes_the_connection(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    def prepare(state: ConnectionState) -> None:
        state.token_binding = _Failing("allowed")

    _, shaken = _bind_prepared(lab, tls, prepare, None)
    assert "is not known" in str(shaken.error)


def _bind_prepared(
    lab: "Lab",
    tls: "ListenerTls",
    prepare: Callable[[ConnectionState], None],
    data: bytes | None = OFFER,
) -> tuple[Offer, Shaken]:
    context = lab.client_context()
    offer_on(context)
    offer = Offer(data)
    shaken = lab.connect(
        tls,
        context=context,
        prepare=lambda client: client.set_app_data(offer),
        prepare_state=prepare,
    )
    return offer, shaken


def test_where_openssl_cannot_do_it_the_option_is_refused(
    lab: "Lab", monkeypatch: pytest.MonkeyPatch
) -> None:
    assert token_binding.unavailable() == ""
    for lacking in ("custom_extensions", "extended_master_secret"):
        less = attrs.evolve(probe.CAPABILITIES, **{lacking: False})
        monkeypatch.setattr(token_binding, "CAPABILITIES", less)
        assert token_binding.unavailable()
        assert lab.mistakes(token_binding=True).keys() == {"listener[0].token_binding"}
    lab.listener()


def test_a_context_that_cannot_take_it_is_a_mistake() -> None:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    token_binding.enable(context)
    with pytest.raises(ValueError, match="takes no extension"):
        token_binding.enable(context)


def test_tls_1_3_alone_and_token_binding_are_a_mistake(lab: "Lab") -> None:
    found = lab.mistakes(token_binding=True, min_version="TLSv1.3")
    assert found.keys() == {"listener[0].min_version"}


# Whatever anybody sends


in_bounds = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@in_bounds
@given(
    st.binary(max_size=300)
    | st.builds(
        build_parameters,
        st.builds(
            Parameters,
            st.tuples(st.integers(0, 2), st.integers(0, 255)),
            st.lists(st.integers(0, 255), max_size=20).map(tuple),
        ),
    )
)
def test_no_offer_does_any_harm(lab: "Lab", tls: "ListenerTls", data: bytes) -> None:
    offer, shaken = bind(lab, tls, data)
    try:
        answer = negotiate(parse_parameters(data))
    except TokenBindingError:
        assert shaken.refused
        return
    expected = None if answer is None else build_parameters(answer)
    assert offer.answer == expected
    assert not shaken.refused


@in_bounds
@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
def test_no_client_hello_does_any_harm(
    lab: "Lab", tls: "ListenerTls", octets: bytes, at: int, value: int
) -> None:
    message = bytearray(hello(REST + EMS + INFO, SUITES))
    message[at % len(message)] = value
    for sent in (bytes(message), b"\x01" + octets, hello(octets, SUITES), octets):
        with contextlib.suppress(SSL.Error):
            _answers(lab, tls, sent)


def test_nothing_is_left_of_hundreds_of_handshakes(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    context = lab.client_context()
    offer_on(context)
    for data in (OFFER, b"\x01", None) * 2:
        bind(lab, tls, data, context=context)
    gc.collect()
    before = len(gc.get_objects())
    for count in range(300):
        offer, shaken = bind(
            lab, tls, (OFFER, b"\x01", None)[count % 3], context=context
        )
        if offer.agreed:
            shaken.facts.read_token_bindings([proof_of(shaken)])
    del offer, shaken
    gc.collect()
    assert len(gc.get_objects()) - before < 50
