"""What is given of a caller, and what is not."""

import json
from pathlib import Path

import pytest

from sso_proxy.errors import ConfigError
from sso_proxy.explain.situation import (
    read_client_certificate,
    read_time,
    read_who,
    read_who_file,
    with_scopes,
)
from sso_proxy.testing.pki import self_signed


def test_claims_alone_are_enough() -> None:
    who = read_who({"sub": "alice", "iss": "https://i", "scope": "a b"}, "as")
    assert (who.identity.subject, who.identity.issuer) == ("alice", "https://i")
    assert who.identity.scopes == {"a", "b"}
    assert who.missing == {"id_token", "userinfo", "token", "authenticator"}


def test_what_is_known_besides_stands_beside_the_claims() -> None:
    document = {
        "claims": {"department": "sales"},
        "issuer": "https://i",
        "subject": "alice",
        "scopes": ["a"],
        "id_token": {"acr": "1"},
        "acr": "gold",
        "auth_time": 5,
        "authenticator": "api",
    }
    who = read_who(document, "as")
    claims = {"department": "sales", "acr": "gold", "auth_time": 5}
    assert who.identity.claims == claims
    assert who.identity.sources == {"id_token": {"acr": "1"}}
    assert who.missing == {"userinfo", "token"}


def test_without_scopes_they_are_not_known() -> None:
    who = read_who({"sub": "alice"}, "as")
    assert {"scopes", "issuer"} <= who.missing
    assert "scopes" not in with_scopes(who, "a,b c").missing
    assert with_scopes(who, "a,b c").identity.scopes == {"a", "b", "c"}


def test_nobody_has_nothing_unknown() -> None:
    who = read_who("nobody", "as")
    assert who.is_nobody
    assert not who.missing


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (["sub"], "as"),
        ({"claims": {}, "colour": "red"}, "as.colour"),
        ({"claims": []}, "as.claims"),
        ({"claims": {}, "subject": 5}, "as.subject"),
        ({"claims": {}, "scopes": 5}, "as.scopes"),
    ],
)
def test_anything_else_is_a_mistake(document: object, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_who(document, "as")
    assert caught.value.mistakes[0].path == path


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    file = tmp_path / "claims.json"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_who_file(file)
    file.write_text("{")
    with pytest.raises(ConfigError, match="is not JSON"):
        read_who_file(file)
    file.write_text(json.dumps({"sub": "alice"}))
    assert read_who_file(file).identity.subject == "alice"


def test_a_certificate_is_read_from_pem(tmp_path: Path) -> None:
    issued = self_signed("client")
    file = tmp_path / "c.pem"
    certificate, _ = issued.write(tmp_path, "client")
    file.write_bytes(certificate.read_bytes())
    facts = read_client_certificate(file)
    assert facts.verified
    assert "client" in facts.subject
    file.write_text("none")
    with pytest.raises(ConfigError, match="is no certificate"):
        read_client_certificate(file)


def test_times_are_seconds_or_moments() -> None:
    assert read_time("100", "at") == 100.0
    assert read_time("1970-01-01T00:01:00Z", "at") == 60.0
    with pytest.raises(ConfigError, match="is no moment"):
        read_time("tomorrow", "at")
