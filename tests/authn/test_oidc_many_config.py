"""Files of providers are read strictly, with every mistake at once."""

from pathlib import Path
from typing import Any

import pytest

from sso_proxy.authn.oidc_many_config import OidcDiscoveryConfig, read_providers
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError

ISSUER = "https://login.example.com"


def write(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        (directory / name.replace("_", ".")).write_text(text)
    return directory


def mistakes(directory: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_providers(str(directory))
    return [f"{each.path}: {each.problem}" for each in caught.value.mistakes]


def test_each_file_is_a_provider(tmp_path: Path) -> None:
    write(
        tmp_path,
        defaults_toml='client_id = "us"\nauth = "none"\nscope = ["openid"]',
        a_toml=f'issuer = "{ISSUER}/a"\nresponse_mode = "form_post"',
        b_json=f'{{"issuer": "{ISSUER}/b", "scope": ["openid", "email"]}}',
    )
    files = read_providers(str(tmp_path))
    assert [*files.providers] == [f"{ISSUER}/a", f"{ISSUER}/b"]
    first, second = files.providers.values()
    assert (first.response_mode, first.scope) == ("form_post", ("openid",))
    assert (second.client_id, second.scope) == ("us", ("openid", "email"))
    assert files.of(f"{ISSUER}/c").scope == ("openid",)


def test_a_directory_may_be_empty(tmp_path: Path) -> None:
    files = read_providers(str(tmp_path))
    assert not files.providers
    with pytest.raises(ConfigError, match="client_id"):
        files.of(ISSUER)


def test_we_register_where_we_are_told_to(tmp_path: Path) -> None:
    write(tmp_path, a_toml=f'issuer = "{ISSUER}"\nregister = true')
    (config,) = read_providers(str(tmp_path)).providers.values()
    assert config.register
    assert "not-known" not in repr(config)


def test_every_mistake_is_told(tmp_path: Path) -> None:
    write(
        tmp_path,
        defaults_toml='auth = "none"\nissuer = "https://a"',
        a_toml='client_id = "us"\nscop = []',
        b_toml="= 1",
        c_txt="",
        d_json="[]",
        e_toml=f'issuer = "{ISSUER}"\nregister = true\nclient_id = "us"',
    )
    found = " ".join(mistakes(tmp_path))
    for told in (
        "defaults.toml.issuer",
        "a.toml.scop",
        "b.toml: is no TOML",
        "c.txt: is neither",
        "d.json: is no table",
        "e.toml.client_id: stands beside register",
    ):
        assert told in found, found


def test_one_issuer_has_one_file(tmp_path: Path) -> None:
    text = f'issuer = "{ISSUER}"\nclient_id = "us"\nauth = "none"'
    write(tmp_path, a_toml=text, b_toml=text)
    assert mistakes(tmp_path) == [
        "providers/b.toml.issuer: another file has this issuer, too"
    ]


def test_a_directory_has_to_be_there(tmp_path: Path) -> None:
    assert "cannot be read" in mistakes(tmp_path / "none")[0]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("allowed_issuers", ["http://example.com"]),
        ("allowed_patterns", ["("]),
        ("networks", ["example.com"]),
        ("networks", ["10.0.0.1/8"]),
        ("origins", ["https://app.example.com/"]),
        ("origins", ["http://app.example.com"]),
        ("most", 0),
    ],
)
def test_options_that_mean_nothing_are_refused(option: str, value: Any) -> None:  # noqa: ANN401
    raw = {"providers": "p", option: value}
    with pytest.raises(ConfigError, match=option):
        structure(raw, OidcDiscoveryConfig, path="", directory=Path("/"))
