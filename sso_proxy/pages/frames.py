"""
Pages that nobody sees: frames in pages of our own origin, which talk to these.

All that they are told is in attributes of their script, escaped: the script itself is
always the same, and the policy allows it by its hash.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Final

from markupsafe import Markup

from sso_proxy.model import Headers
from sso_proxy.pages.kit import hash_source

_PAGE: Final = Markup(
    '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
    "<title>{title}</title>\n"
    "<body>\n{frame}<script{data}>{script}</script>\n"
)
_FRAME: Final = Markup('<iframe id="provider" title="{title}" src="{url}"></iframe>\n')


def make_frame(
    script: str,
    data: Mapping[str, str],
    *,
    title: str,
    inner: str = "",
    frames: Iterable[str] = (),
) -> tuple[Headers, bytes]:
    """
    Make a page that pages of the same origin may frame.

    Args:
        script: The file of ours that it runs.
        data: What the script is told: ``data-`` attributes.
        title: What people learn who look at it nevertheless.
        inner: The URL of a frame in it, or empty.
        frames: Origins that may be in frames of it, besides our own.
    """
    source = _script(script)
    attributes = Markup().join(
        Markup(' data-{}="{}"').format(name, value) for name, value in data.items()
    )
    page = _PAGE.format(
        title=title,
        frame=_FRAME.format(title=title, url=inner) if inner else "",
        data=attributes,
        script=Markup(source),  # noqa: S704 - ours
    )
    return _headers(source, tuple(frames), framing=bool(inner)), page.encode()


def _headers(source: str, frames: tuple[str, ...], *, framing: bool) -> Headers:
    """Write down what such a page may do, and nothing else."""
    policy = ["default-src 'none'", f"script-src {hash_source(source)}"]
    if framing:
        policy.append(" ".join(("frame-src 'self'", *frames)))
        policy.append("connect-src 'self'")
    policy += ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'self'"]
    return (
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", "; ".join(policy)),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        # Without any, what the page posts would come from nowhere ("Origin: null").
        ("referrer-policy", "strict-origin"),
    )


@lru_cache
def _script(name: str) -> str:
    """Read a script of this package."""
    return files("sso_proxy.pages").joinpath("templates", name).read_text("utf-8")
