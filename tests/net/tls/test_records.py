"""What goes around pyOpenSSL says the same as what goes through it."""

from typing import TYPE_CHECKING

import pytest
from OpenSSL import SSL

from sso_proxy.net.tls import records
from sso_proxy.net.tls.records import RECORD, read_record, write_records

if TYPE_CHECKING:
    from tests.net.tls.conftest import Lab, Shaken


@pytest.fixture(params=[True, False], ids=["direct", "pyopenssl"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_DIRECT", request.param)


def carry(shaken: "Shaken") -> None:
    """Bring to the server what the client has written."""
    shaken.server.bio_write(shaken.client.bio_read(1 << 20))


@pytest.mark.parametrize("kind", [bytes, memoryview], ids=["bytes", "memoryview"])
def test_what_is_written_is_read(
    lab: "Lab", kind: type[bytes] | type[memoryview]
) -> None:
    shaken = lab.connect(lab.listener())
    assert write_records(shaken.client, kind(b"question")) == 8
    carry(shaken)
    assert read_record(shaken.server) == b"question"


def test_one_record_is_read_at_a_time(lab: "Lab") -> None:
    shaken = lab.connect(lab.listener())
    data = b"x" * RECORD + b"rest"
    sent = 0
    while sent < len(data):
        sent += write_records(shaken.client, data[sent:])
    carry(shaken)
    assert read_record(shaken.server) == data[:RECORD]
    assert read_record(shaken.server) == b"rest"


def test_what_is_no_data_is_what_pyopenssl_says(lab: "Lab") -> None:
    shaken = lab.connect(lab.listener())
    with pytest.raises(SSL.WantReadError):
        read_record(shaken.server)
    shaken.client.shutdown()
    carry(shaken)
    with pytest.raises(SSL.ZeroReturnError):
        read_record(shaken.server)
