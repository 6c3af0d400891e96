"""Files and secrets that cannot be used stop the start, with the option's name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.authn.oidc_parts import build_parts
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError
from sso_proxy.testing.fakes import FakeTools

ISSUER = "https://login.example.com"


@attrs.define(kw_only=True)
class RememberingTools(FakeTools):
    """Tools that outlive a reload."""

    made: int = 0
    kept: dict[Any, Any] = attrs.field(factory=dict)

    def shared(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Make it once."""
        if key not in self.kept:
            self.made += 1
            self.kept[key] = make()
        return self.kept[key]


def build(**options: Any) -> Any:  # noqa: ANN401
    given = {"auth": "none", **options}
    config = OidcConfig(issuer=ISSUER, client_id="app", **given)
    return build_parts(config, FakeTools(name="corp"))


def problem(**options: Any) -> str:  # noqa: ANN401
    with pytest.raises(ConfigError) as caught:
        build(**options)
    return str(caught.value)


def write(directory: Path, key: Any) -> str:  # noqa: ANN401
    file = directory / "key.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(pem)
    return str(file)


def test_the_least_is_enough() -> None:
    parts = build()
    assert parts.name == "corp"
    assert parts.keys.public == ()


def test_a_reload_forgets_nothing_of_the_provider() -> None:
    """It may be down just then."""
    tools = RememberingTools(name="corp")
    for _ in range(2):
        build_parts(OidcConfig(issuer=ISSUER, client_id="app", auth="none"), tools)
    assert tools.made == 1


def test_our_public_keys_are_those_of_the_files(tmp_path: Path) -> None:
    file = write(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    parts = build(auth="private_key_jwt", signing_keys=(file,))
    (key,) = parts.keys.public
    assert key["use"] == "sig"
    assert "d" not in key


def test_a_file_that_is_not_there_is_told() -> None:
    text = problem(auth="private_key_jwt", signing_keys=("/nonexistent/key.pem",))
    assert "signing_keys" in text


def test_a_secret_that_is_too_short_is_told() -> None:
    text = problem(
        auth="client_secret_basic",
        client_secret=Secret("short"),
        id_token_algorithms=("HS256",),
    )
    assert "client_secret" in text
    assert "short" not in text.replace("too short", "")


def test_keys_of_the_profile_sign_with_what_it_allows(tmp_path: Path) -> None:
    dpop = tmp_path / "dpop"
    dpop.mkdir()
    options: dict[str, Any] = {
        "profile": "fapi2",
        "auth": "private_key_jwt",
        "dpop": "required",
        "dpop_key": write(dpop, ec.generate_private_key(ec.SECP256R1())),
    }
    weak = write(tmp_path, rsa.generate_private_key(65537, 2048))
    assert "RS256" in problem(signing_keys=(weak,), **options)
    build(signing_keys=(weak,), signing_alg="PS256", **options)


def test_an_operator_can_do_without_a_cache() -> None:
    assert build(cache="").cache is None
    assert build().cache is not None
