from typing import TYPE_CHECKING, Any

import pytest

from sso_proxy.net.tls.material import MaterialReader
from sso_proxy.net.tls.plan import Plan, read_plans

if TYPE_CHECKING:
    from tests.net.tls.conftest import Lab

NAMED: dict[str, Any] = {"host": ("a.example",)}
MTLS: dict[str, Any] = {"client_certificate": "required", "client_ca": "ca.crt"}


def _read(
    lab: "Lab",
    *names: dict[str, Any],
    **options: Any,  # noqa: ANN401
) -> tuple[list[Plan], dict[str, str]]:
    reader = MaterialReader(now=lab.now, read_file=lab.read)
    plans = read_plans(lab.config(*names, **options), "listener[2]", reader)
    found = {m.path.removeprefix("listener[2]."): m.problem for m in reader.mistakes}
    return plans, found


def test_a_name_inherits_what_it_does_not_set(lab: "Lab") -> None:
    (own, name), mistakes = _read(lab, NAMED, **MTLS)
    assert not mistakes
    assert name.rules.policy == own.rules.policy
    assert name.credentials is not None
    assert name.hosts == ("a.example",)


def test_a_listener_needs_certificate_and_key(lab: "Lab") -> None:
    _, mistakes = _read(lab, certificate=None, key=None)
    assert mistakes == {
        "certificate": "is missing; a TLS listener needs a certificate",
        "key": "is missing; a TLS listener needs its private key",
    }


@pytest.mark.parametrize(
    ("one", "other"), [("certificate", "key"), ("key", "certificate")]
)
def test_a_name_sets_certificate_and_key_together(
    lab: "Lab", one: str, other: str
) -> None:
    _, mistakes = _read(lab, NAMED | {one: "own.crt"})
    assert list(mistakes) == [f"name[0].{other}"]


@pytest.mark.parametrize("mode", ["optional", "required"])
def test_asking_for_certificates_needs_a_ca(lab: "Lab", mode: str) -> None:
    """A CA that is not there must not let everybody in (CVE-2026-27586)."""
    _, mistakes = _read(lab, client_certificate=mode)
    problem = f"is missing; client_certificate = '{mode}' needs the CAs of clients"
    assert mistakes == {"client_ca": problem}


def test_a_ca_file_that_is_not_there_is_a_mistake(lab: "Lab") -> None:
    _, mistakes = _read(lab, **MTLS | {"client_ca": "gone.crt"})
    assert mistakes == {"client_ca": "cannot read gone.crt: No such file or directory"}


def test_a_ca_that_nobody_is_asked_for_is_a_mistake(lab: "Lab") -> None:
    """Whoever sets a CA believes that certificates are required."""
    _, mistakes = _read(lab, NAMED | {"client_ca": "other.crt"}, client_ca="ca.crt")
    assert set(mistakes) == {"client_ca", "name[0].client_ca"}


def test_a_ca_that_only_names_use_stands_at_the_listener(lab: "Lab") -> None:
    _, mistakes = _read(
        lab, NAMED | {"client_certificate": "required"}, client_ca="ca.crt"
    )
    assert not mistakes


def test_lists_without_a_ca_are_a_mistake(lab: "Lab") -> None:
    _, mistakes = _read(lab, client_certificate="optional_no_ca", client_crl="crl.pem")
    assert mistakes == {"client_crl": "is of no use without client_ca"}


def test_lists_that_cannot_be_read_are_a_mistake(lab: "Lab") -> None:
    lab.files["crl.pem"] = b"rubbish"
    _, mistakes = _read(lab, **MTLS, client_crl="crl.pem")
    assert list(mistakes) == ["client_crl"]


def test_an_inherited_list_has_to_cover_the_names_own_ca(lab: "Lab") -> None:
    lab.files["crl.pem"] = lab.pki.crl()
    _, mistakes = _read(
        lab, NAMED | {"client_ca": "other.crt"}, **MTLS, client_crl="crl.pem"
    )
    assert mistakes == {
        "name[0].client_crl": "has no list signed by CN=Other CA of client_ca"
    }


def test_an_expired_list_is_refused_at_the_start(lab: "Lab") -> None:
    lab.files["crl.pem"] = lab.pki.crl(expired=True)
    _, mistakes = _read(lab, **MTLS, client_crl="crl.pem")
    assert "has expired on" in mistakes["client_crl"]


@pytest.mark.parametrize(
    ("hosts", "problem"),
    [
        (("a.example", "a.example"), "'a.example' stands here twice on one listener"),
        (("*",), "'*' is what the listener's own options are for"),
        (("127.0.0.1",), "'127.0.0.1' is an address; clients send none (RFC 6066)"),
        (("[::1]",), "'[::1]' is an address; clients send none (RFC 6066)"),
    ],
)
def test_a_name_that_no_client_can_ask_for_is_a_mistake(
    lab: "Lab", hosts: tuple[str, ...], problem: str
) -> None:
    _, mistakes = _read(lab, {"host": hosts})
    assert mistakes == {"name[0].host": problem}


def test_the_listeners_own_rules_become_the_strictest(lab: "Lab") -> None:
    (own, name), _ = _read(lab, NAMED | MTLS)
    assert own.rules.policy == name.rules.policy
    assert own.hosts == ()
