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
    r"secret|passw|passphrase|(^|_)(pwd?|pin|psk|dsn)$|credential|private|hmac|salt|seed"
    r"|api_?key|(?<!public)_keys?$|(^|_)token$|_tokens$|authorization$|webhook|connection_string"
)
"""Names of options that hold secrets, in whatever a plugin calls its own."""
_PLACE: Final = re.compile(r"_file$|_env$")
_KEY_FILE: Final = re.compile(r"[^\s:]*\.[a-z]{3,4}")
"""What is called ``key``, and is where one is."""
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_VARIABLE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
_IN_URL: Final = re.compile(r"(?<=://)[^/?#\s]*@")
_IN_TEXT: Final = re.compile(
    r"((?:password|passwd|pwd|secret|token|api[-_]?key|assertion|signature|\bsig)=)"
    r"[^&;#\s]+|(^(?:[A-Za-z-]+: *)?(?:bearer|basic|apikey)\s+)\S{6,}$",
    re.IGNORECASE,
)
"""In queries, connection strings and fields for other servers."""
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
    words = _HUMP.sub("_", name).replace("-", "_").lower()
    if words == "headers":  # values for another server, whatever they are called
        return isinstance(value, Mapping) and _has_text(value)
    if words in {"key", "keys"}:
        names = value if isinstance(value, list | tuple) else [value]
        texts = [name for name in names if isinstance(name, str)]
        return _has_text([text for text in texts if not _KEY_FILE.fullmatch(text)])
    if not _NAMED.search(words) or _PLACE.search(words):
        return False
    return _has_text(value)


def _has_text(value: Any) -> bool:  # noqa: ANN401
    """Say whether *value* is, or has in it, a text or number that is no variable's."""
    if isinstance(value, Mapping):
        return any(map(_has_text, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_text, value))
    if isinstance(value, str):
        return bool(value) and not _VARIABLE.fullmatch(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _text(text: str) -> str:
    if _PEM in text or _holds_key(text):
        return LEFT_OUT
    shown = _IN_URL.sub(f"{LEFT_OUT}@", text)
    return _IN_TEXT.sub(lambda m: f"{m[1] or m[2]}{LEFT_OUT}", shown)


def _holds_key(text: str) -> bool:
    """Say whether *text* is JSON with a private JWK in it."""
    return '"kty"' in text and any(f'"{name}"' in text for name in _PRIVATE_JWK)
