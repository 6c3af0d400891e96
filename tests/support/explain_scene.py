"""A configuration with policies, and questions about it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sso_proxy.config.load import load_config
from sso_proxy.explain.report import Explanation
from sso_proxy.explain.running import make_explainer
from sso_proxy.explain.situation import (
    NOBODY,
    Situation,
    Who,
    read_who,
    with_scopes,
)
from sso_proxy.testing.fakes import NOW

URL = "http://app.example.com"
ISSUER = "https://login.example.com"
ALICE = {"sub": "alice", "iss": ISSUER, "department": "sales", "email": "a@example.com"}

CONFIG = f"""
[[listener]]
address = "127.0.0.1"
port = 8080
tls = false
allow_plaintext = true
[authenticator.api]
type = "bearer"
issuer = "{ISSUER}"
jwks_uri = "{ISSUER}/jwks"
audience = ["https://api.example.com"]
[policy.main]
type = "rules"
[[policy.main.rule]]
name = "sales-read"
effect = "permit"
match = {{ path = "/orders/{{id}}", method = ["GET", "HEAD"] }}
when = "claims.department == 'sales' and scope:orders.read"
obligations = [{{ do = "set-header", name = "X-Purpose", value = "sales" }}]
[[policy.main.rule]]
name = "inside"
effect = "deny"
when = "client in ['10.0.0.0/8']"
[[policy.main.rule]]
name = "gold"
effect = "step_up"
match = {{ path = "/orders/secret" }}
acr_values = ["gold"]
[policy.next]
type = "rules"
[[policy.next.rule]]
name = "all"
effect = "permit"
[[route]]
host = "app.example.com"
path = "/orders/"
authenticate = ["api"]
require = ["exists claims.email"]
policy = ["main"]
shadow = ["next"]
backend = "http://127.0.0.1:9000"
headers = {{ claims = ["email"] }}
[[route]]
host = "app.example.com"
path = "/open/"
authenticate = ["anonymous"]
methods = ["GET"]
backend = "http://127.0.0.1:9001"
"""


def write_config(directory: Path, text: str = CONFIG) -> Path:
    path = directory / "sso-proxy.toml"
    path.write_text(text)
    return path


def make_situation(
    path: str = "/orders/17",
    who: object = None,
    scopes: str | None = None,
    **given: Any,  # noqa: ANN401
) -> Situation:
    """Ask about *path*; nothing else is given unless it is named."""
    known = Who() if who is None else read_who(who, "as")
    if scopes is not None:
        known = with_scopes(known, scopes)
    url = path if "://" in path else URL + path
    return Situation(url=url, who=known, **{"at": NOW, **given})


@cache
def explainer(text: str) -> Callable[[Situation], Explanation]:
    """Build a configuration that names no files once for all tests."""
    with TemporaryDirectory() as directory:
        return make_explainer(load_config(write_config(Path(directory), text)))


def explain(situation: Situation, text: str = CONFIG) -> Explanation:
    return explainer(text)(situation)


__all__ = ["ALICE", "CONFIG", "ISSUER", "NOBODY", "URL"]
