"""
The configuration as it was loaded, for operators to look at, without what is secret.

Secrets are values of their own type and are never shown.  Besides, whatever looks like
one is left out, wherever it stands: a plugin may have options that nobody here knows.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

import attrs

from sso_proxy.config.model import ComponentConfig
from sso_proxy.config.secrets import Secret

LEFT_OUT: Final = "(not shown)"

_NAMED: Final = re.compile(
    r"secret|passw|passphrase|credential|private|apikey|(?<!public)_keys?$|(^|_)token$",
    re.IGNORECASE,
)
"""Names of options that hold secrets, in whatever a plugin calls its own."""
_PLACE: Final = re.compile(r"_file$|_env$")
_VARIABLE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
_IN_URL: Final = re.compile(r"(?<=://)[^/?#\s]*@")
_PEM: Final = "PRIVATE KEY-----"
_PRIVATE_JWK: Final = frozenset({"k", "d", "p", "q", "dp", "dq", "qi", "oth"})


def show_config(config: Any, *, guess: bool = True) -> Any:  # noqa: ANN401, PLR0911
    """
    Give *config*, or a part of it, in the types of JSON and without secrets.

    Args:
        config: What is to be shown.
        guess: Leave out what is called like a secret, too: a plugin may call its own
            so.  In our own classes, what is secret is a `Secret`.
    """
    if config is None or isinstance(config, bool | int | float):
        return config
    if isinstance(config, str | PurePath):
        return _text(str(config))
    if isinstance(config, ComponentConfig):
        return {"type": config.type, **_table(config.options, guess=True)}
    if isinstance(config, Sequence | set | frozenset) and not isinstance(config, bytes):
        return [show_config(each, guess=guess) for each in config]
    if isinstance(config, Mapping):
        return _table(config, guess=guess)
    if attrs.has(type(config)) and not isinstance(config, Secret):
        fields = attrs.fields(type(config))
        return {
            f.name: show_config(getattr(config, f.name), guess=False) for f in fields
        }
    return LEFT_OUT


def _table(table: Mapping[Any, Any], *, guess: bool) -> dict[str, Any]:
    is_key = "kty" in table
    return {
        _text(str(name)): LEFT_OUT
        if (is_key and name in _PRIVATE_JWK) or (guess and _is_secret(str(name), value))
        else show_config(value, guess=guess)
        for name, value in table.items()
    }


def _is_secret(name: str, value: Any) -> bool:  # noqa: ANN401
    """Say whether *value* may be a secret, and not where one is."""
    if not _NAMED.search(name) or _PLACE.search(name):
        return False
    texts = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(t, str) and t and not _VARIABLE.fullmatch(t) for t in texts)


def _text(text: str) -> str:
    if _PEM in text:
        return LEFT_OUT
    return _IN_URL.sub(f"{LEFT_OUT}@", text)
