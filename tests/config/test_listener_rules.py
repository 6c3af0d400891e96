"""What a listener's options must not say together."""

from collections.abc import Callable

import pytest

Mistakes = Callable[..., dict[str, str]]


PLAIN = '[[listener]]\naddress = "127.0.0.1"\nport = 80\ntls = false\n'
SERVING = PLAIN + "allow_plaintext = true\n"
BARE = '[[listener]]\naddress = "127.0.0.1"\nport = 443\n'
TLS = BARE + 'certificate = "c"\nkey = "k"\n'


def one(found: dict[str, str]) -> tuple[str, str]:
    """Give the only mistake."""
    assert len(found) == 1, found
    return next(iter(found.items()))


@pytest.mark.parametrize(
    "listener",
    [
        TLS,
        SERVING,
        PLAIN + "redirect_port = 8443\n" + TLS,
        SERVING.replace('"127.0.0.1"\nport = 80', '"unix:/run/s"'),
        SERVING.replace('"127.0.0.1"\nport = 80', '"systemd:web.socket"'),
        TLS + 'client_certificate = "optional"\nclient_ca = "a"\nclient_crl = "b"',
        TLS + 'client_certificate = "optional_no_ca"\nclient_ca = "a"',
        TLS
        + 'client_ca = "a"\nclient_certificate = "optional"\n'
        + '[[listener.name]]\nhost = ["a.example"]\nclient_certificate = "required"',
        TLS + 'token_binding = true\nmax_version = "TLSv1.2"',
        TLS + TLS.replace("127.0.0.1", "127.0.0.2"),
        TLS + TLS.replace("443", "444"),
        TLS.replace("443", "0") + TLS.replace("443", "0"),
        TLS + TLS.replace("127.0.0.1", "::1"),
    ],
)
def test_listener_is_accepted(mistakes: Mistakes, listener: str) -> None:
    assert mistakes(listener=listener) == {}


@pytest.mark.parametrize("option", ["certificate", "key"])
def test_tls_without_certificate_or_key_is_refused(
    mistakes: Mistakes, option: str
) -> None:
    other = {"certificate": "key", "key": "certificate"}[option]
    path, problem = one(mistakes(listener=f'{BARE}{other} = "x"'))
    assert path == f"listener[0].{option}"
    assert "is missing" in problem


@pytest.mark.parametrize(
    "option",
    [
        'certificate = "c"',
        'key = "c"',
        'client_certificate = "none"',
        'client_ca = "c"',
        'client_crl = "c"',
        'min_version = "TLSv1.2"',
        'max_version = "TLSv1.3"',
        'ciphers = "c"',
        'ciphersuites = "c"',
        'groups = ["c"]',
        "token_binding = true",
        "name = []",
        "redirect_port = 443",
    ],
)
def test_option_without_effect_on_a_plain_listener_is_refused(
    mistakes: Mistakes, option: str
) -> None:
    path, problem = one(mistakes(listener=SERVING + option))
    assert path == f"listener[0].{option.partition(' ')[0]}"
    assert "no effect" in problem


@pytest.mark.parametrize("option", ["allow_plaintext = false", "redirect_port = 443"])
def test_option_without_effect_on_a_tls_listener_is_refused(
    mistakes: Mistakes, option: str
) -> None:
    path, problem = one(mistakes(listener=TLS + option))
    assert path == f"listener[0].{option.partition(' ')[0]}"
    assert "no effect" in problem


def test_file_whose_listeners_only_redirect_is_refused(mistakes: Mistakes) -> None:
    path, problem = one(mistakes(listener=PLAIN))
    assert path == "listener"
    assert "allow_plaintext = true" in problem


@pytest.mark.parametrize("mode", ["optional", "required"])
def test_asking_for_certificates_without_ca_is_refused(
    mistakes: Mistakes, mode: str
) -> None:
    path, problem = one(mistakes(listener=f'{TLS}client_certificate = "{mode}"'))
    assert path == "listener[0].client_ca"
    assert mode in problem


def test_name_that_asks_without_ca_is_refused(mistakes: Mistakes) -> None:
    name = '[[listener.name]]\nhost = ["a.example"]\nclient_certificate = "required"'
    path, _ = one(mistakes(listener=TLS + name))
    assert path == "listener[0].name[0].client_ca"


@pytest.mark.parametrize("option", ["client_ca", "client_crl"])
def test_ca_that_judges_nobody_is_refused(mistakes: Mistakes, option: str) -> None:
    path, problem = one(mistakes(listener=f'{TLS}{option} = "a"'))
    assert path == f"listener[0].{option}"
    assert "no effect" in problem


def test_crl_without_ca_is_refused(mistakes: Mistakes) -> None:
    path, _ = one(
        mistakes(
            listener=TLS + 'client_certificate = "optional_no_ca"\nclient_crl = "a"'
        )
    )
    assert path == "listener[0].client_crl"


@pytest.mark.parametrize("given", ["certificate", "key"])
def test_name_with_half_a_certificate_is_refused(
    mistakes: Mistakes, given: str
) -> None:
    name = f'[[listener.name]]\nhost = ["a.example"]\n{given} = "x"'
    path, problem = one(mistakes(listener=TLS + name))
    assert path.startswith("listener[0].name[0].")
    assert given not in path
    assert "go together" in problem


def test_name_written_twice_is_refused(mistakes: Mistakes) -> None:
    name = '[[listener.name]]\nhost = ["a.example"]\n'
    found = mistakes(listener=TLS + name + name)
    assert list(found) == ["listener[0].name[0].host", "listener[0].name[1].host"]


def test_versions_the_wrong_way_round_are_refused(mistakes: Mistakes) -> None:
    versions = 'min_version = "TLSv1.3"\nmax_version = "TLSv1.2"'
    path, _ = one(mistakes(listener=TLS + versions))
    assert path == "listener[0].min_version"


@pytest.mark.parametrize(
    "option",
    [
        'min_version = "TLSv1.3"',
        'max_version = "TLSv1.3"',
        'ciphersuites = "TLS_AES_128_GCM_SHA256"',
    ],
)
def test_token_binding_goes_with_nothing_of_tls_1_3(
    mistakes: Mistakes, option: str
) -> None:
    path, problem = one(mistakes(listener=f"{TLS}token_binding = true\n{option}"))
    assert path == f"listener[0].{option.partition(' ')[0]}"
    assert "token_binding" in problem


@pytest.mark.parametrize("other", ["127.0.0.1", "0.0.0.0", "::"])  # noqa: S104
def test_two_listeners_on_one_port_are_refused(mistakes: Mistakes, other: str) -> None:
    path, problem = one(mistakes(listener=TLS + TLS.replace("127.0.0.1", other)))
    assert path == "listener[1].port"
    assert "listener[0]" in problem


@pytest.mark.parametrize(
    "address",
    ["localhost", "unix:run/s", "127.1", "*", "", "systemd:", "systemd:a:b"],
)
def test_address_that_is_none_is_refused(mistakes: Mistakes, address: str) -> None:
    found = mistakes(listener=TLS.replace("127.0.0.1", address))
    assert "listener[0].address" in found


def test_port_has_to_be_written(mistakes: Mistakes) -> None:
    path, _ = one(mistakes(listener=TLS.replace("port = 443\n", "")))
    assert path == "listener[0].port"


def test_port_of_a_passed_socket_is_refused(mistakes: Mistakes) -> None:
    path, _ = one(mistakes(listener=TLS.replace("127.0.0.1", "systemd:web")))
    assert path == "listener[0].port"


def test_port_of_a_unix_socket_is_refused(mistakes: Mistakes) -> None:
    path, _ = one(mistakes(listener=TLS.replace("127.0.0.1", "unix:/run/s")))
    assert path == "listener[0].port"


@pytest.mark.parametrize(
    "admin",
    [
        'address = "127.0.0.1"\nport = 9100',
        'address = "::1"\nport = 9100',
        'address = "unix:/run/admin.sock"',
    ],
)
def test_admin_on_this_machine_is_accepted(mistakes: Mistakes, admin: str) -> None:
    assert mistakes(f"[server.admin]\n{admin}") == {}


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", "8.8.8.8"])  # noqa: S104
def test_admin_that_others_reach_is_refused(mistakes: Mistakes, address: str) -> None:
    path, problem = one(mistakes(f'[server.admin]\naddress = "{address}"\nport = 1'))
    assert path == "server.admin.address"
    assert "reachable from outside" in problem


PROVEN = 'certificate = "a.crt"\nkey = "a.key"\nclient_ca = "ca.crt"'


def test_admin_that_asks_for_certificates_may_be_reached(mistakes: Mistakes) -> None:
    admin = f'[server.admin]\naddress = "192.0.2.1"\nport = 1\n{PROVEN}'
    assert mistakes(admin) == {}


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ('certificate = "a.crt"\nkey = "a.key"', "client_ca"),
        ('client_ca = "ca.crt"\nkey = "a.key"', "certificate"),
        (f'{PROVEN}\noperator_key = "o.key"', "operator_certificate"),
    ],
)
def test_admin_with_half_of_its_certificates_is_refused(
    mistakes: Mistakes, options: str, path: str
) -> None:
    admin = f'[server.admin]\naddress = "127.0.0.1"\nport = 1\n{options}'
    assert one(mistakes(admin))[0] == f"server.admin.{path}"


@pytest.mark.parametrize("address", ["localhost", "unix:x", "systemd:admin"])
def test_admin_address_that_is_none_is_refused(
    mistakes: Mistakes, address: str
) -> None:
    found = mistakes(f'[server.admin]\naddress = "{address}"')
    assert "server.admin.address" in found


def test_admin_on_a_listeners_port_is_refused(mistakes: Mistakes) -> None:
    path, _ = one(mistakes('[server.admin]\naddress = "127.0.0.1"\nport = 8443'))
    assert path == "server.admin.port"


def test_certificates_of_nobody_cannot_be_believed(mistakes: Mistakes) -> None:
    text = TLS + 'forwarded_certificate = "unverified"\n'
    found = mistakes(listener=text)
    assert found == {
        "listener[0].forwarded_certificate": (
            "has no effect without server.trusted_proxies"
        )
    }


def test_listener_that_only_redirects_believes_no_certificates(
    mistakes: Mistakes,
) -> None:
    server = '[server]\ntrusted_proxies = ["10.0.0.0/8"]'
    plain = """
[[listener]]
address = "127.0.0.1"
port = 8080
tls = false
forwarded_certificate = "verified"
"""
    found = mistakes(server, listener=TLS + plain)
    assert found == {
        "listener[1].forwarded_certificate": (
            "has no effect: this listener only redirects"
        )
    }


def test_keys_of_nobodys_clients_cannot_be_believed(mistakes: Mistakes) -> None:
    path, problem = one(mistakes(listener=TLS + "forwarded_token_binding = true\n"))
    assert path == "listener[0].forwarded_token_binding"
    assert problem == "has no effect without server.trusted_proxies"
