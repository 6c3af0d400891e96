"""What the demo prints."""

import base64
import json
import shlex
from typing import Any, Final

import attrs

from sso_proxy.testing.demo.checks import Check, Result
from sso_proxy.testing.demo.people import PEOPLE
from sso_proxy.testing.demo.scene import CLIENT, DEVICE_LIFETIME, HOST, SCOPE, Scene

_GREEN: Final = "32"
_RED: Final = "31"
_BOLD: Final = "1"
_DIM: Final = "2"


@attrs.frozen
class Paint:
    """Colours, where they can be shown."""

    on: bool

    def __call__(self, code: str, text: str) -> str:
        """Give *text* in the colour *code*."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.on else text


def opening(scene: Scene, paint: Paint) -> str:
    """Show who is there."""
    ports = scene.ports
    proxy, api = f"https://{HOST}:{ports.proxy}", f"http://{HOST}:{ports.api}"
    return "\n".join(
        [
            "",
            paint(_BOLD, "sso-proxy demo: an API behind certificate-bound tokens"),
            "",
            f"  client ── mutual TLS ──▶ proxy {proxy} ── HTTP ──▶ API {api}",
            f"    └── mutual TLS ──▶ authorization server {scene.issuer_url}",
            "",
        ]
    )


def token_lines(token: str, paint: Paint) -> str:
    """Show what the token says."""
    claims = read_claims(token)
    lines = [f"The authorization server gave {CLIENT} a token. It says:"]
    shown = ("iss", "sub", "aud", "scope")
    lines += [f"    {name:<6} {claims[name]}" for name in shown]
    bound = f"x5t#S256 = {claims['cnf']['x5t#S256']}"
    lines.append(f"    {'cnf':<6} {bound}")
    lines.append(
        paint(
            _DIM,
            "           good only over TLS with the certificate that has this hash",
        )
    )
    return "\n".join([*lines, ""])


def result_lines(number: int, result: Result, paint: Paint) -> str:
    """Show one check."""
    status = result.answer.status
    word = "refused" if status >= 400 else "leads on" if status >= 300 else "passes"
    verdict = f"{status} {word}"
    title = f"{number:<2} {result.check.title}"
    if result.passed:
        head = f"  {paint(_GREEN, '✓')} {title:<60} {paint(_GREEN, verdict)}"
        return "\n".join([head, paint(_DIM, f"       {result.seen}")])
    head = f"  {paint(_RED, '✗')} {title:<60} {paint(_RED, verdict)}"
    wrong = f"       expected {result.check.status}, and {result.check.expected};"
    fields = [f"{name}: {value}" for name, value in result.answer.headers.items()]
    body = result.answer.body[:1000].decode("utf-8", "replace").splitlines()
    lines = ["       but got:", *(f"         {line}" for line in [*fields, *body])]
    return "\n".join([head, paint(_RED, wrong), *lines])


def web_opening(scene: Scene, paint: Paint) -> str:
    """Show who is there where people log in."""
    web, application = scene.web_url, f"http://{HOST}:{scene.ports.application}"
    return "\n".join(
        [
            paint(_BOLD, "The same proxy before a web application, for people"),
            "",
            f"  browser ── TLS ──▶ proxy {web} ── HTTP ──▶ application {application}",
            f"    └── TLS ──▶ OpenID Provider {scene.provider_url}",
            "",
        ]
    )


def thief_opening(scene: Scene, paint: Paint) -> str:
    """Show what is stolen, and from where."""
    return "\n".join(
        [
            paint(_BOLD, "A thief has copied Alice's cookies"),
            "",
            f"  {scene.machine_url} binds a session to the certificate that it began",
            f"  with; {scene.web_url}/ binds it to nothing.",
            "",
        ]
    )


def device_opening(scene: Scene, browser: str, paint: Paint) -> str:
    """Show whose key a session is bound to, or that there is no browser with one."""
    lines = [paint(_BOLD, "The same theft, where Alice's browser has made a key"), ""]
    if browser:
        lines.append(f"  {scene.device_url} in {browser}")
        lines.append(f"  A proof of the key is good for {DEVICE_LIFETIME} seconds.")
    else:
        lines.append("  There is no Chromium here, which would show it.")
    return "\n".join([*lines, ""])


def people_lines(scene: Scene, paint: Paint) -> str:
    """Show where to look with a browser, and who one can be there."""
    lines = [paint(_BOLD, "In your browser"), "", f"  {scene.web_url}/", ""]
    lines += [f"    {person.name:<15} {person.may}" for person in PEOPLE.values()]
    if scene.single_page_url:
        lines += ["", "  A single-page application, whose script asks who you are:"]
        lines += [f"  {scene.single_page_url}"]
    lines += [
        "",
        f"  To be somebody else: {scene.web_url}/.sso/login",
        f"  To see your sessions, and end them: {scene.web_url}/.sso/",
        "  It warns of the certificate, because it does not know the demo's CA:",
        f"  {scene.directory / 'ca.crt'}",
    ]
    return "\n".join([*lines, ""])


def repeat_lines(scene: Scene, checks: tuple[Check, ...], paint: Paint) -> str:
    """Show how to make the same calls by hand."""
    where = scene.directory
    lines = [paint(_BOLD, "The same by hand"), ""]
    lines += [paint(_DIM, "  # a token (it is also in the file that -H @… names)")]
    lines += [
        _curl(scene, "client")
        + f" -d grant_type=client_credentials -d client_id={CLIENT} -d scope={SCOPE}"
        + f" {scene.issuer_url}/token"
    ]
    for check in checks:
        lines.append(paint(_DIM, f"  # {check.title}"))
        line = _curl(scene, check.certificate)
        if check.token:
            line += f" -H @{shlex.quote(str(where / 'authorization'))}"
        for name, value in check.headers.items():
            line += f" -H '{name}: {value}'"
        lines.append(f"{line} {scene.api_url}")
    return "\n".join([*lines, ""])


def closing(scene: Scene, results: list[Result], paint: Paint) -> str:
    """Show the sum, and where to look."""
    good = sum(result.passed for result in results)
    where = scene.directory
    lines = [
        f"  configuration  {where / 'sso-proxy.toml'}",
        f"  audit records  {where / 'audit.log'}",
        f"  log            {where / 'proxy.log'}",
        "",
        paint(
            _GREEN if good == len(results) else _RED,
            f"{good} of {len(results)} checks went as they have to.",
        ),
    ]
    return "\n".join(lines)


def read_claims(token: str) -> dict[str, Any]:
    """Read a token's claims without any check, for showing."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return claims


def _curl(scene: Scene, certificate: str) -> str:
    """Begin a curl line."""
    where = scene.directory
    line = f"  curl -i --cacert {shlex.quote(str(where / 'ca.crt'))}"
    if certificate:
        for option, ending in (("--cert", "crt"), ("--key", "key")):
            path = where / f"{certificate}.{ending}"
            line += f" {option} {shlex.quote(str(path))}"
    return line
