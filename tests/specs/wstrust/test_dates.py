"""Times of WS-Security and SAML are read strictly."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.wstrust.dates import read_time
from sso_proxy.specs.wstrust.request import format_time
from sso_proxy.specs.xml import XmlError

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-22T12:00:00Z", 0),
        ("2026-11-22T12:00:00", 0),
        ("2026-11-22T12:00:00.250Z", 0.25),
        ("2026-11-22T12:00:00.1234567Z", 0.1234567),
        ("2026-11-22T14:00:00+02:00", 0),
        ("2026-11-22T06:30:00-05:30", 0),
    ],
)
def test_a_time_is_in_utc_unless_it_says_otherwise(text: str, seconds: float) -> None:
    assert read_time(text) == pytest.approx(NOON + seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-22",
        "2026-11-22 12:00:00Z",
        "2026-13-22T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-11-22T25:00:00Z",
        "2026-11-22T12:00:00+15:00",
        "2026-11-22T12:00:00+02:60",
        "2026-11-22T12:00:00z",
        "\uff12026-11-22T12:00:00Z",
        "99999-11-22T12:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(XmlError):
        read_time(text)


@given(st.integers(0, 4_000_000_000))
def test_what_we_write_we_can_read(seconds: int) -> None:
    assert read_time(format_time(seconds)) == seconds
