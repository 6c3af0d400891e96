"""What Apache requires, and the rules that are made of it, let the same callers in."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jwt
import pytest

from sso_proxy.authz.rules import RulesPolicy
from sso_proxy.authz.rules_config import RulesConfig
from sso_proxy.model import Effect
from sso_proxy.specs.apache_rules import import_rules
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request
from sso_proxy.testing.pki import Pki
from tests.support.apache import apache
from tests.support.programs import curl, free_port
from tests.support.recorder import Recorder

SECRET: Final = "an example that nobody has to guess at all"
ALL: Final = """\
<RequireAll>
Require oauth2_claim department:sales
Require not oauth2_claim groups:guests
</RequireAll>"""
NONE: Final = """\
<RequireAll>
Require valid-user
<RequireNone>
Require oauth2_claim level:3
Require oauth2_claim mail:c@example.com
</RequireNone>
</RequireAll>"""
ANY: Final = """\
<RequireAny>
<RequireAll>
Require oauth2_claim level:3
Require oauth2_claim department:sales
</RequireAll>
Require oauth2_claim groups:guests
</RequireAny>"""
# Without expressions: no mail~regex ever fits in Debian's mod_oauth2 3.3.
SETS: Final = (
    "Require valid-user",
    "Require user alice carol",
    "Require all denied",
    "Require oauth2_claim department:sales",
    "Require oauth2_claim department:it groups:staff",
    "Require oauth2_claim level:3",
    "Require oauth2_claim admin:true",
    "Require oauth2_claim mail:e@example.com",
    "Require oauth2_claim realm.role:boss",
    "Require method POST",
    "Require method HEAD\nRequire oauth2_claim department:nobody",
    "Require ip 127.0.0.0/8",
    "Require ip 10",
    ALL,
    NONE,
    ANY,
)
CALLERS: Final[tuple[dict[str, Any], ...]] = (
    {"sub": "alice"},
    {"sub": "bob", "department": "sales", "groups": ["staff"], "level": 3},
    {"sub": "bob", "department": ["it", "sales"], "groups": ["guests", "staff"]},
    {"sub": "carol", "level": "3", "mail": "c@example.com", "admin": "true"},
    {"sub": "dave", "level": 4, "admin": True, "realm": {"role": "boss"}},
    {"sub": "eve", "mail": ["x", "e@example.com"], "admin": False, "groups": "staff"},
)


def locations() -> str:
    lines = []
    for number, requires in enumerate(SETS):
        verify = f'OAuth2TokenVerify plain "{SECRET}" verify.iat=skip&verify.iss=skip'
        head = f"<Location /s{number}>\nAuthType oauth2\n{verify}"
        lines.append(f"{head}\n{requires}\n</Location>")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> RulesPolicy:
    file = tmp_path_factory.mktemp("rules") / "rules.toml"
    found = import_rules(locations(), "apache.conf")
    assert {each.kind for each in found.findings} == {"translated"}
    file.write_text(found.rules)
    config = RulesConfig(files=(str(file),), combine="first_applicable")
    return RulesPolicy.from_config(config, FakeTools())


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Run Apache; give whom it is certified by, and where it is."""
    directory = tmp_path_factory.mktemp("apache")
    directory.chmod(0o755)
    pki = Pki.create()
    pki.write(directory, "ca")
    issued = pki.issue("localhost", dns=["localhost"], server=True)
    issued.write(directory, "server")
    port = free_port()
    with Recorder() as backend, apache(directory, port, backend.port, locations()):
        yield directory / "ca.crt", f"https://localhost:{port}"


def test_the_same_callers_get_in(policy: RulesPolicy, urls: tuple[Path, str]) -> None:
    ca, base = urls
    asked = itertools.product(range(len(SETS)), CALLERS)
    fields, ours = [], []
    for number, caller in asked:
        token = jwt.encode({**caller, "exp": 4_000_000_000}, SECRET, "HS256")
        fields.append((f"{base}/s{number}/x", f"Authorization: Bearer {token}"))
        claims = {name: value for name, value in caller.items() if name != "sub"}
        identity = make_identity(caller["sub"], claims=claims)
        request = make_request(path=f"/s{number}/x", client="127.0.0.1")
        found = policy.check(identity, request)
        ours.append(found.effect is Effect.PERMIT)
    theirs = [
        curl("--cacert", ca, "-H", field, url).status == 200 for url, field in fields
    ]
    differ = [
        (SETS[number // len(CALLERS)], CALLERS[number % len(CALLERS)], mine)
        for number, (mine, other) in enumerate(zip(ours, theirs, strict=True))
        if mine != other
    ]
    assert not differ, "\n".join(map(str, differ))
    assert 20 < sum(theirs) < len(theirs) - 20
