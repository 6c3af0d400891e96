"""Where requests come from."""

import attrs
import pytest

from sso_proxy.edge.place import Place
from sso_proxy.model import TlsFacts
from tests.support.doubles import Scene

TLS = TlsFacts(version="TLSv1.3", cipher="TLS_AES_128_GCM_SHA256")


def exporter(label: bytes, length: int, context: bytes | None) -> bytes:
    raise AssertionError((label, length, context))


def test_a_place_tells_no_connection_from_those_that_are_alike() -> None:
    tls = attrs.evolve(TLS, exporter=exporter)
    place = Place(attrs.evolve(Scene().facts, tls=tls))
    assert place.facts.tls is not None
    with pytest.raises(ValueError, match="no keying material"):
        place.facts.tls.export_key(b"EXPERIMENTAL", 32, None)
    assert place.facts == attrs.evolve(Scene().facts, tls=tls)


def test_without_tls_all_is_kept() -> None:
    facts = Scene().facts
    assert Place(facts).facts is facts
