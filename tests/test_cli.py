"""The ``sso-proxy`` command says what is wrong, and with which status."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwcrypto.jwk import JWK

import sso_proxy
from sso_proxy.cli import main
from sso_proxy.config.key_ring import read_key_ring
from sso_proxy.testing.pki import Pki

Run = Callable[..., tuple[int, str, str]]

PLAIN = """
[[listener]]
address = "127.0.0.1"
port = 8080
tls = false
allow_plaintext = true
[[listener]]
address = "::1"
port = 8081
tls = false
[[route]]
host = "*"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9000"
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command; gives its status and what it wrote."""

    def command(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        return (status, *capsys.readouterr())

    return command


def config(directory: Path, text: str) -> Path:
    path = directory / "sso-proxy.toml"
    path.write_text(text)
    return path


def test_good_file_is_summarised(run: Run, tmp_path: Path) -> None:
    path = config(tmp_path, PLAIN)
    status, out, err = run("check", path)
    assert (status, err) == (0, "")
    assert out == (
        f"{path}: no mistakes\n"
        "listener[0]  http 127.0.0.1:8080  without TLS\n"
        "listener[1]  http [::1]:8081  redirects to https port 443\n"
        "route[0]  */  anonymous  -> http://127.0.0.1:9000\n"
    )


def test_a_listener_with_token_binding_says_so(run: Run, tmp_path: Path) -> None:
    listener = (
        '[[listener]]\naddress = "127.0.0.1"\nport = 8443\n'
        'certificate = "proxy.crt"\nkey = "proxy.key"\ntoken_binding = true\n'
    )
    Pki.create().issue("proxy", server=True).write(tmp_path, "proxy")
    (tmp_path / "proxy.key").chmod(0o600)
    status, out, _ = run("check", config(tmp_path, listener + PLAIN))
    assert status == 0
    line = "listener[0]  https 127.0.0.1:8443  client certificates: none  Token Binding"
    assert line in out.splitlines()


def test_policies_shadows_and_tokens_of_routes_are_listed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "s" * 32)
    token = 'token = [{ name = "orders", audience = "https://o.example" }]'
    policies = f'policy = ["main"]\nshadow = ["next"]\n{token}\nbackend ='
    text = PLAIN.replace("backend =", policies)
    text += '[token.orders]\ntype = "client_credentials"\nclient_id = "proxy"\n'
    text += 'endpoint = "https://o.example/token"\nclient_secret = "env:SECRET"\n'
    for name in ("main", "next"):
        rule = '{ name = "all", effect = "permit" }'
        text += f'[policy.{name}]\ntype = "rules"\nrule = [{rule}]\n'
    _, out, _ = run("check", config(tmp_path, text))
    assert out.endswith("  policy: main  shadow: next  token: orders\n")


def test_every_mistake_is_listed(run: Run, tmp_path: Path) -> None:
    spoilt = PLAIN.replace("8081", "8080").replace('"::1"', '"::"').replace('"*"', "1")
    status, out, err = run("check", config(tmp_path, spoilt))
    assert (status, out) == (1, "")
    assert err == (
        "listener[1].port: is taken by listener[0]; take another port\n"
        "route[0].host: must be a string, not an integer\n"
        "2 mistakes\n"
    )


def test_file_that_is_not_there_is_one_mistake(run: Run, tmp_path: Path) -> None:
    status, _, err = run("check", tmp_path / "missing")
    assert status == 1
    assert err.endswith("cannot be read: No such file or directory\n1 mistake\n")


def test_check_builds_what_the_start_builds(run: Run, tmp_path: Path) -> None:
    """A certificate that cannot be read is found by the check, not by the start."""
    tls = PLAIN.replace(
        "tls = false\nallow_plaintext = true", 'certificate = "c"\nkey = "k"'
    )
    status, _, err = run("check", config(tmp_path, tls))
    assert status == 1
    assert err.startswith("listener[0].certificate: ")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["chekc"],
        ["check"],
        ["key"],
        ["key", "lost"],
        ["key", "rotate", "--keep", "-1"],
        ["key", "rotate", "--after", "1e3"],
        ["key", "new", "--after", "1"],
        ["key", "new", "--keep", "1"],
    ],
)
def test_command_line_that_cannot_be_understood_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as e:
        main(arguments)
    assert e.value.code == 2
    assert capsys.readouterr().err.startswith("usage: sso-proxy")


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as e:
        main(["--version"])
    assert e.value.code == 0
    assert capsys.readouterr().out == f"{sso_proxy.__version__} pure\n"


def test_schema_is_json_with_the_built_in_components(run: Run) -> None:
    status, out, _ = run("schema")
    assert status == 0
    authenticators = json.loads(out)["properties"]["authenticator"]
    kinds = [
        choice["properties"]["type"].get("const")
        for choice in authenticators["additionalProperties"]["oneOf"]
    ]
    assert {"anonymous", "bearer", "mtls", "oidc"} < set(kinds)
    assert kinds == [*sorted(kinds[:-1]), None]


def test_new_key_ring_is_made_and_listed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    status, out, _ = run("key", "new", "--file", path)
    (key,) = read_key_ring(path).keys
    assert (status, out) == (0, f"{path}: key {key.kid}\n")
    status, out, _ = run("key", "list", "--file", path)
    assert status == 0
    assert out.startswith(f"{key.kid}  2")
    assert out.endswith("seals and opens\n")
    assert key.secret.hex() not in out


def test_rotation_keeps_so_many_older_keys(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    run("key", "new", "--file", path)
    kids = [read_key_ring(path).keys[0].kid]
    for _ in range(3):
        status, out, _ = run("key", "rotate", "--file", path, "--keep", 1, "--after", 0)
        kids.append(read_key_ring(path).keys[0].kid)
        assert (status, out) == (
            0,
            f"{path}: key {kids[-1]} seals, 1 older ones open\n",
        )
    assert [key.kid for key in read_key_ring(path).keys] == [kids[3], kids[2]]
    _, out, _ = run("key", "list", "--file", path)
    assert [line.rpartition("  ")[2] for line in out.splitlines()] == [
        "seals and opens",
        "opens",
    ]


def test_new_key_seals_a_minute_later(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    run("key", "new", "--file", path)
    _, out, _ = run("key", "rotate", "--file", path)
    new, old = read_key_ring(path).keys
    assert (new.seals_from - new.created, old.seals_from) == (60, 0)
    when = datetime.fromtimestamp(new.seals_from, UTC).isoformat()
    assert out == f"{path}: key {new.kid} seals from {when}, 1 older ones open\n"
    _, out, _ = run("key", "list", "--file", path)
    assert [line.rpartition("  ")[2] for line in out.splitlines()] == [
        f"opens, seals from {when}",
        "seals and opens",
    ]


def test_key_that_replaces_all_seals_at_once(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    run("key", "new", "--file", path)
    _, out, _ = run("key", "rotate", "--file", path, "--keep", 0)
    (key,) = read_key_ring(path).keys
    assert key.seals_from == 0
    assert out.endswith(" seals, 0 older ones open\n")


def test_key_ring_is_never_made_twice(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    run("key", "new", "--file", path)
    before = path.read_bytes()
    status, _, err = run("key", "new", "--file", path)
    assert (status, path.read_bytes()) == (1, before)
    assert "is there already" in err


@pytest.mark.parametrize("action", ["list", "rotate"])
def test_key_ring_that_is_not_there_is_told(
    run: Run, tmp_path: Path, action: str
) -> None:
    status, _, err = run("key", action, "--file", tmp_path / "keys.json")
    assert status == 1
    assert "make it with sso-proxy key new" in err


def test_key_ring_is_in_the_state_directory(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    run("key", "new")
    assert len(read_key_ring(tmp_path / "keys.json").keys) == 1


def test_reader_that_has_seen_enough_is_no_error() -> None:
    program = "import sys; from sso_proxy.cli import main; sys.exit(main(['schema']))"
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 1


SIGNED = """
[token.orders]
type = "jwt"
issuer = "https://sso.example.com"
audience = "https://orders.example.com"
keys = ["orders.pem"]
[token.stock]
type = "jwt"
issuer = "https://sso.example.com"
audience = "https://stock.example.com"
keys = ["stock.pem", "orders.pem"]
"""


def test_public_keys_are_printed_for_backends(run: Run, tmp_path: Path) -> None:
    for name in ("orders", "stock"):
        key = JWK.from_pyca(ec.generate_private_key(ec.SECP256R1()))
        pem = key.export_to_pem(private_key=True, password=None)
        (tmp_path / f"{name}.pem").write_bytes(pem)
    path = config(tmp_path, PLAIN + SIGNED)

    def names(*chosen: str) -> list[str]:
        status, out, _ = run("jwks", "--config", path, *chosen)
        assert status == 0
        assert '"d"' not in out
        return [key["kid"] for key in json.loads(out)["keys"]]

    (orders,) = names("orders")
    stock, _ = names("stock")
    assert names("stock") == [stock, orders]
    assert names() == [orders, stock]
    status, out, err = run("jwks", "--config", path, "other")
    assert (status, out) == (1, "")
    assert err.startswith("token.other: does not sign tokens here")
