"""What a listener shows is in time, whole and in order, and has its hosts' names."""

import time
from pathlib import Path

import pytest
from cryptography import x509

from sso_proxy.config.load import parse_config
from sso_proxy.doctor.certificates import known_authorities, look_at_certificates
from sso_proxy.testing.pki import Pki, self_signed

NOW = time.time()
ROOT = Pki.create("Root of all")
BELOW = ROOT.intermediate("One below")
CONFIG = """
[[listener]]
address = "127.0.0.1"
port = 8443
certificate = "a.crt"
key = "a.key"
[[route]]
host = "app.example.com"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9"
[[route]]
host = "other.example.com"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9"
"""


def look(
    directory: Path, pem: bytes, known: tuple[x509.Name, ...] = (), now: float = NOW
) -> dict[str, tuple[str, str]]:
    """Give state and text of each finding."""
    (directory / "a.crt").write_bytes(pem)
    config = parse_config(CONFIG, directory / "sso-proxy.toml")
    return {
        finding.what: (finding.state, f"{finding.found}; {finding.todo}")
        for finding in look_at_certificates(config, now, known)
    }


def leaf(pki: Pki, **options: object) -> bytes:
    names = ["app.example.com"]
    return pki.issue("app", dns=names, server=True, **options).chain_pem  # type: ignore[arg-type]


WHAT = "listener[0].certificate"


def test_all_is_well(tmp_path: Path) -> None:
    found = look(tmp_path, leaf(BELOW), (ROOT.certificate.subject,))
    assert found[WHAT][0] == "ok"
    state, text = found[f"{WHAT}, chain"]
    assert state == "ok"
    assert "Root of all" in text


@pytest.mark.parametrize(
    ("days", "state", "text"),
    [
        (-1, "broken", "is good from"),
        (300, "ok", "is good until"),
        (352, "warning", "renew it"),
        (366, "broken", "has expired"),
    ],
)
def test_a_certificate_has_its_time(
    tmp_path: Path, days: float, state: str, text: str
) -> None:
    found = look(tmp_path, leaf(ROOT), now=NOW + days * 86400)
    assert found[WHAT][0] == state
    assert text in found[WHAT][1]


def test_an_intermediate_that_is_missing_is_noticed(tmp_path: Path) -> None:
    alone = BELOW.issue("app", server=True).cert_pem
    state, text = look(tmp_path, alone, (ROOT.certificate.subject,))[f"{WHAT}, chain"]
    assert state == "warning"
    assert "One below" in text
    assert "append the intermediate" in text


def test_another_order_is_broken(tmp_path: Path) -> None:
    issued = BELOW.intermediate("Lowest").issue("app", server=True)
    first, second, third = issued.chain_pem.split(b"-----END CERTIFICATE-----\n")[:3]
    end = b"-----END CERTIFICATE-----\n"
    mixed = first + end + third + end + second + end
    assert look(tmp_path, mixed)[f"{WHAT}, chain"][0] == "broken"
    assert look(tmp_path, issued.chain_pem)[f"{WHAT}, chain"][0] == "warning"


def test_one_that_issued_itself_is_not_trusted_unasked(tmp_path: Path) -> None:
    issued = self_signed("app", dns=["app.example.com"])
    assert look(tmp_path, issued.cert_pem)[f"{WHAT}, chain"][0] == "warning"
    whole = leaf(ROOT) + ROOT.ca_pem
    known = (ROOT.certificate.subject,)
    assert look(tmp_path, whole, known)[f"{WHAT}, chain"][0] == "ok"


def test_hosts_without_a_certificate_are_named(tmp_path: Path) -> None:
    found = look(tmp_path, leaf(ROOT))
    assert [what for what in found if what.startswith("host")] == [
        "host other.example.com"
    ]
    wide = ROOT.issue("app", dns=["*.example.com"], server=True).chain_pem
    assert not [what for what in look(tmp_path, wide) if what.startswith("host")]


def test_addresses_are_names_of_certificates_too(tmp_path: Path) -> None:
    pem = ROOT.issue("app", dns=[], ips=["127.0.0.1", "::1"], server=True).chain_pem
    (tmp_path / "a.crt").write_bytes(pem)
    text = CONFIG.replace('"app.example.com"', '"127.0.0.1"')
    text = text.replace('"other.example.com"', '"[::1]"')
    config = parse_config(text, tmp_path / "sso-proxy.toml")
    found = list(look_at_certificates(config, NOW, ()))
    assert [each.what for each in found] == [WHAT, f"{WHAT}, chain"]


def test_a_file_of_two_listeners_is_looked_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.crt").write_bytes(leaf(ROOT))
    first, rest = CONFIG.split("[[route]]", 1)
    text = first + first.replace("8443", "8444") + "[[route]]" + rest
    found = look_at_certificates(parse_config(text, tmp_path / "x.toml"), NOW, ())
    assert next(found).what == f"{WHAT}, listener[1].certificate"


def test_certificates_of_names_are_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "a.crt").write_bytes(leaf(ROOT))
    other = ROOT.issue("other", dns=["other.example.com"], server=True)
    (tmp_path / "b.crt").write_bytes(other.chain_pem)
    names = """
[[listener.name]]
host = ["app.example.com"]
client_certificate = "optional_no_ca"
[[listener.name]]
host = ["other.example.com"]
certificate = "b.crt"
key = "b.key"
"""
    text = CONFIG.replace("[[route]]", f"{names}[[route]]", 1)
    found = look_at_certificates(parse_config(text, tmp_path / "x.toml"), NOW, ())
    named = "listener[0].name[1].certificate"
    whats = [each.what for each in found]
    assert whats == [WHAT, f"{WHAT}, chain", named, f"{named}, chain"]


def test_authorities_of_the_system_are_found() -> None:
    assert all(isinstance(name, x509.Name) for name in known_authorities())
