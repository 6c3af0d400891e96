"""Tests for `sso_proxy.audit`."""

import json
import re
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.audit import (
    audit_line,
    caller_part,
    combined_line,
    place_part,
    refused_line,
)
from sso_proxy.testing.fakes import make_certificate, make_request

CONNECTION: dict[str, Any] = {
    "listener": "0.0.0.0:8443",
    "client": "192.0.2.1",
    "peer": "198.51.100.7",
}
STABLE = place_part(**CONNECTION) + caller_part()
FACTS: dict[str, Any] = {
    "time": 1_800_000_000.123456,
    "id": "0a1b2c",
    "method": "GET",
    "path": "/orders/7",
    "status": 200,
    "reason": "",
    "sent": 1024,
    "received": 0,
    "duration": 0.001234,
    "upstream_status": 200,
    "upstream": "http://127.0.0.1:9000",
}
REFUSED: dict[str, Any] = {
    "time": 1_800_000_000.5,
    "id": "0a1b2c",
    "status": 400,
    "reason": "request-line",
    "sent": 80,
    "received": 12,
    "duration": 0.25,
}


def record_of(line: bytes) -> dict[str, Any]:
    """Read a line as a strict reader does: one line of ASCII, no member twice."""
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    text = line.decode("ascii")
    assert text[:-1].isprintable()

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)

    record: dict[str, Any] = json.loads(text, object_pairs_hook=members)
    return record


def test_a_record_has_every_fact_of_the_request() -> None:
    certificate = make_certificate()
    stable = place_part(
        **CONNECTION,
        tls=make_request(certificate=certificate).tls,
        host="app.example.com",
        route="orders",
    ) + caller_part(
        authenticator="api",
        issuer="https://login.example.com",
        subject="alice",
        user="al",
        bindings=["certificate"],
        session="u2sV",
    )
    assert record_of(audit_line(stable, **FACTS)) == {
        "v": 1,
        **FACTS,
        "decision": "permit",
        **CONNECTION,
        "tls": {
            "version": "TLSv1.3",
            "cipher": "TLS_AES_256_GCM_SHA384",
            "server_name": "app.example.com",
            "certificate": {"x5t#S256": certificate.thumbprint, "verified": True},
        },
        "host": "app.example.com",
        "route": "orders",
        "authenticator": "api",
        "issuer": "https://login.example.com",
        "subject": "alice",
        "user": "al",
        "bindings": ["certificate"],
        "session": "u2sV",
    }


def test_what_does_not_apply_is_there_and_empty() -> None:
    """A reader finds the same members in every record."""
    record = record_of(
        audit_line(
            STABLE,
            **FACTS | {"upstream_status": None, "upstream": ""},
            decision="deny",
        )
    )
    assert record["upstream_status"] is None
    assert record["upstream"] == ""
    assert record["tls"] is None
    assert record["bindings"] == []
    assert record["session"] == ""
    assert record["user"] == ""
    assert record["decision"] == "deny"
    refused = record_of(refused_line(STABLE, **REFUSED))
    assert refused.keys() == record.keys()


def test_a_connection_without_certificate_says_so() -> None:
    stable = place_part(**CONNECTION, tls=make_request().tls) + caller_part()
    record = record_of(audit_line(stable, **FACTS))
    assert record["tls"]["certificate"] is None


def test_canonical_values_are_not_escaped_one_by_one() -> None:
    """The zeros tell the fast way from the slow one, which drops them."""
    line = audit_line(STABLE, **FACTS | {"duration": 0.5})
    assert b'"duration":0.500000,' in line


@given(st.floats(-1e6, 4e9), st.floats(-10, 1e6))
def test_times_are_written_with_six_digits(time: float, duration: float) -> None:
    record = json.loads(
        audit_line(STABLE, **FACTS | {"time": time, "duration": duration})
    )
    assert record["time"] == pytest.approx(time, abs=1e-6)
    assert record["duration"] == pytest.approx(duration, abs=1e-6)


@pytest.mark.parametrize("name", ["id", "method", "path", "reason", "upstream"])
@pytest.mark.parametrize(
    "value", ['a"b', "a\\", '","status":200,"x":"', "a\nb", "\x7f", "é", "\ud800", "\0"]
)
def test_a_value_that_should_be_canonical_is_not_trusted_to_be(
    name: str, value: str
) -> None:
    """A mistake elsewhere must not let a client write the record."""
    record = record_of(audit_line(STABLE, **FACTS | {name: value}))
    assert record == record_of(audit_line(STABLE, **FACTS)) | {name: value}


@given(
    st.dictionaries(
        st.sampled_from(["id", "method", "path", "reason", "upstream"]),
        st.text(st.sampled_from('ab"\\\n,:{}é'), max_size=12),
    )
)
def test_a_record_holds_what_it_was_given(values: dict[str, str]) -> None:
    record = record_of(audit_line(STABLE, **FACTS | values))
    assert record == record_of(audit_line(STABLE, **FACTS)) | values


@given(st.text(max_size=20), st.text(max_size=20))
def test_the_stable_part_holds_any_text(subject: str, host: str) -> None:
    stable = place_part(**CONNECTION, host=host) + caller_part(subject=subject)
    record = record_of(audit_line(stable, **FACTS))
    assert (record["subject"], record["host"]) == (subject, host)


def test_a_long_text_is_cut_and_shown_so() -> None:
    stable = place_part(**CONNECTION) + caller_part(subject="x" * 513, user="y" * 512)
    record = record_of(audit_line(stable, **FACTS))
    assert record["subject"] == "x" * 512 + "…"
    assert record["user"] == "y" * 512


def test_a_canonical_path_is_not_cut() -> None:
    path = "/" + "x" * 8000
    assert record_of(audit_line(STABLE, **FACTS | {"path": path}))["path"] == path


def test_a_refused_request_is_shown_escaped_and_cut() -> None:
    record = record_of(
        refused_line(STABLE, **REFUSED, method='G"ET' * 20, path="/\x1b[2J\xff" * 400)
    )
    assert record["method"] == ('G"ET' * 20)[:32] + "…"
    assert record["path"] == ("/\x1b[2J\xff" * 400)[:2048] + "…"
    assert record["decision"] == "error"
    assert record["reason"] == "request-line"


@pytest.mark.parametrize("sign", ["?", "#", "\r", "\n"])
def test_a_refused_request_does_not_show_its_query(sign: str) -> None:
    line = refused_line(STABLE, **REFUSED, path=f"/a{sign}access_token=s3cret")
    assert record_of(line)["path"] == "/a"
    assert b"s3cret" not in line


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        *((status, "deny") for status in (302, 401, 403, 404, 405, 421)),
        *((status, "error") for status in (0, 400, 408, 414, 431, 503)),
    ],
)
def test_a_refused_request_was_denied_or_an_error(status: int, decision: str) -> None:
    line = refused_line(STABLE, **REFUSED | {"status": status})
    assert record_of(line)["decision"] == decision


def test_a_refused_request_has_every_member_even_if_nothing_is_known() -> None:
    known = record_of(refused_line(STABLE, **REFUSED))
    assert record_of(refused_line("", **REFUSED)) == known | dict.fromkeys(
        CONNECTION, ""
    )


COMBINED: dict[str, Any] = {
    "client": "192.0.2.1",
    "user": "alice",
    "time": 1_800_000_000.9,
    "method": "GET",
    "path": "/orders",
    "status": 200,
    "sent": 12,
}


def test_a_combined_line_is_what_apache_writes() -> None:
    line = combined_line(**COMBINED, referer="https://a.example/x", agent="curl/8.0")
    assert line == (
        b"192.0.2.1 - alice [15/Jan/2027:08:00:00 +0000]"
        b' "GET /orders HTTP/1.1" 200 12 "https://a.example/x" "curl/8.0"\n'
    )


def test_what_is_not_there_is_a_hyphen_in_a_combined_line() -> None:
    line = combined_line(**COMBINED | {"user": "", "sent": 0})
    assert line.startswith(b"192.0.2.1 - - [")
    assert line.endswith(b'" 200 - "-" "-"\n')


def test_a_combined_line_has_no_query_of_a_referer() -> None:
    line = combined_line(**COMBINED, referer="https://a.example/x?code=s3cret")
    assert b"s3cret" not in line


@given(
    st.dictionaries(
        st.sampled_from(["user", "path", "referer", "agent"]), st.text(max_size=20)
    )
)
def test_a_combined_line_cannot_be_forged(values: dict[str, str]) -> None:
    """Control characters and quotes are how a log line becomes two (G4)."""
    line = combined_line(**COMBINED | values).decode("ascii")
    quoted = r'"[^"]*"'
    assert re.fullmatch(
        rf"\S+ - \S+ \[[^\]]+\] {quoted} 200 12 {quoted} {quoted}\n", line
    )
    assert line[:-1].isprintable()


def test_a_name_with_a_blank_stays_one_field() -> None:
    line = combined_line(**COMBINED | {"user": 'a b"\\é'})
    assert line.startswith(b"192.0.2.1 - a\\x20b\\x22\\x5c\\xc3\\xa9 [")


def test_every_member_is_documented() -> None:
    path = Path(__file__).parent.parent / "docs" / "formats" / "audit.md"
    documentation = path.read_text("utf-8")
    documented = set(re.findall(r"^\| `(\S+)` \|", documentation, re.MULTILINE))
    documented.remove("trace")  # there is not always one
    tls = make_request(certificate=make_certificate()).tls
    stable = place_part(**CONNECTION, tls=tls) + caller_part()
    record = record_of(audit_line(stable, **FACTS))
    names = set(record)
    names |= {f"tls.{name}" for name in record["tls"]}
    names |= {f"tls.certificate.{name}" for name in record["tls"]["certificate"]}
    assert documented == names


def test_facts_do_not_outgrow_the_record() -> None:
    """Whoever adds a TLS fact decides whether it is audited."""
    tls = make_request().tls
    assert tls is not None
    assert {field.name for field in attrs.fields(type(tls))} == {
        *("version", "cipher", "server_name", "certificate"),
        *("alpn", "extended_master_secret", "policy", "_exporter", "_exported"),
        "_bindings_reader",
    }
