"""Keys that something is bound to must be such as a listener can ever see."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sso_proxy.config.draft import Draft
from sso_proxy.config.listener_rules import serves
from sso_proxy.config.model import ListenerConfig
from sso_proxy.config.structure import join
from sso_proxy.errors import Mistake

_PROBLEMS: Final = {
    "certificate": (
        "no listener asks for client certificates; set client_certificate on one, or"
        " forwarded_certificate behind a proxy that passes them on"
    ),
    "token_binding": (
        "no listener has token_binding, nor forwarded_token_binding behind a proxy that"
        " passes on what it has checked"
    ),
}


def check_bindings(draft: Draft) -> Iterator[Mistake]:
    """Find sessions that are bound to nothing, and routes that let nobody in."""
    listeners = [placed.value for placed in draft.listeners]
    if not any(map(serves, listeners)):
        return
    unseen = _PROBLEMS.keys() - _seen(listeners)
    for session in draft.sessions.values():
        table = session.value.options.get("binding")
        if not isinstance(table, Mapping):
            continue
        for kind in sorted(unseen & table.keys()):
            path = join(session.path, f"binding.{kind}")
            yield Mistake(path, _PROBLEMS[kind])
    for route in draft.routes:
        level = route.value.binding.token_binding
        if level == "require" and "token_binding" in unseen:
            path = join(route.path, "binding.token_binding")
            yield Mistake(path, _PROBLEMS["token_binding"])


def _seen(listeners: Iterable[ListenerConfig]) -> set[str]:
    """Give the kinds of keys that clients can show somewhere."""
    found = set()
    for listener in listeners:
        modes = {listener.client_certificate}
        modes |= {name.client_certificate or "none" for name in listener.name}
        asks = listener.tls and modes != {"none"}
        if asks or listener.forwarded_certificate != "ignore":
            found.add("certificate")
        if listener.token_binding or listener.forwarded_token_binding:
            found.add("token_binding")
    return found
