"""Files that are named by their path, or as a credential."""

from pathlib import Path

import attrs
import pytest

from sso_proxy.config.credentials import find_file
from sso_proxy.config.model import FilePath
from sso_proxy.config.secrets import Secret
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError

HERE = Path("/etc/sso-proxy")
PASSED = {"CREDENTIALS_DIRECTORY": "/run/credentials/sso-proxy.service"}


def find(name: str, environ: dict[str, str]) -> str:
    return str(find_file(name, directory=HERE, environ=environ))


@pytest.mark.parametrize("environ", [{}, PASSED])
def test_files_are_beside_the_configuration(environ: dict[str, str]) -> None:
    assert find("tls/app.key", environ) == "/etc/sso-proxy/tls/app.key"
    assert find("/srv/app.key", environ) == "/srv/app.key"


def test_credential_is_where_the_service_manager_put_it() -> None:
    assert find("credential:app.key", PASSED) == (
        "/run/credentials/sso-proxy.service/app.key"
    )


@pytest.mark.parametrize("name", ["", "..", ".", "../key", "a/b", "/etc/shadow", "a:b"])
def test_name_that_no_credential_has_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a credential's name"):
        find(f"credential:{name}", PASSED)


@pytest.mark.parametrize("environ", [{}, {"CREDENTIALS_DIRECTORY": "here"}])
def test_without_a_service_manager_there_are_none(environ: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="LoadCredential="):
        find("credential:app.key", environ)


@attrs.frozen(kw_only=True)
class Options:
    """Of anything."""

    key: FilePath
    password: Secret


def test_any_file_and_any_secret_may_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = tmp_path / "db"
    password.write_text("correct-horse\n")
    password.chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    raw = {"key": "credential:app.key", "password_file": "credential:db"}
    options = structure(raw, Options, path="", directory=HERE)
    assert options.key == str(tmp_path / "app.key")
    assert options.password.reveal() == "correct-horse"


def test_mistake_has_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    raw = {"key": "credential:app.key", "password_file": "credential:db"}
    with pytest.raises(ConfigError) as refused:
        structure(raw, Options, path="x", directory=HERE)
    assert {m.path for m in refused.value.mistakes} == {"x.key", "x.password"}
