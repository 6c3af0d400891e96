"""Browsers that ask with whom a host shares keys."""

import pytest

from sso_proxy.endpoints.device_documents import DeviceDocument
from sso_proxy.specs.dbsc.federation import WELL_KNOWN
from sso_proxy.testing.fakes import make_request

DOCUMENT = DeviceDocument(b'{"provider_origin":"https://login.example.com"}')


def test_the_document_is_at_its_place_alone() -> None:
    assert DOCUMENT.get(WELL_KNOWN) == DOCUMENT.document
    assert DOCUMENT.get(f"{WELL_KNOWN}/") is None
    assert DOCUMENT.get("/.well-known/") is None


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_anybody_may_read_it(method: str) -> None:
    answer = DOCUMENT.answer(make_request(path=WELL_KNOWN, method=method).head)
    assert (answer.status, answer.body) == (200, DOCUMENT.document)
    assert ("content-type", "application/json") in answer.headers


def test_nobody_may_write_it() -> None:
    answer = DOCUMENT.answer(make_request(path=WELL_KNOWN, method="POST").head)
    assert answer.status == 405
    assert ("allow", "GET, HEAD") in answer.headers
