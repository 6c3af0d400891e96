"""A security token service out of Debian's gSOAP; run as a program, it builds it."""

import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sso_proxy.testing.pki import Pki
from tests.support.programs import Running, free_port, program

CLIENT: Final = "sts-client"
SECRET: Final = "sts <secret>"
TICKET: Final = "urn:example:ticket"
SHARED: Final = Path("/usr/share/gsoap")
_POLICY: Final = Path(__file__).parent / "gsoap" / "sts.c"
_BUILT: Final = _POLICY.parent / "build"
_PLUGINS: Final = ("wsseapi", "wsaapi", "smdevp", "mecevp", "threads")
_FLAGS: Final = ("-O0", "-w", "-DWITH_OPENSSL", "-DWITH_DOM", "-DWITH_GZIP")
_LIBRARIES: Final = ("-lgsoapssl", "-lssl", "-lcrypto", "-lz", "-lpthread")
_TOKENS: Final = """
    struct _wsse__UsernameToken* wsse__UsernameToken 0;
    struct _wsse__BinarySecurityToken* wsse__BinarySecurityToken 0;
    struct saml2__AssertionType* saml2__Assertion 0;
"""
_ASKED: Final = """
    struct wst__OnBehalfOfType* OnBehalfOf 0;
    struct wst__OnBehalfOfType* wst14__ActAs 0;
    struct wst__OnBehalfOfType* ValidateTarget 0;
    struct wst__LifetimeType* Lifetime 0;
"""
_SAID: Final = """
    struct wst__StatusType* Status 0;
    _wsp__AppliesTo_* wsp__AppliesTo 0;
"""
_OCTETS: Final = "\n    struct _wsse__BinarySecurityToken* wsse__BinarySecurityToken;\n"
_MEMBERS: Final = {
    "OnBehalfOfType": _TOKENS,
    "RequestSecurityTokenType": _ASKED,
    "RequestSecurityTokenResponseType": _SAID,
    "RequestedSecurityTokenType": _OCTETS,
}
_NAMESPACE: Final = (
    "//gsoap wst14 schema import: http://docs.oasis-open.org/ws-sx/ws-trust/200802\n"
    "//gsoap wst14 schema elementForm: qualified\n"
)


def built() -> Path:
    """Give the program; build it unless that was done for these sources."""
    text = _POLICY.read_bytes() + Path(__file__).read_bytes()
    place = _BUILT / f"sts-{sha256(text).hexdigest()[:16]}"
    if not place.exists():
        _BUILT.mkdir(exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix="making-", dir=_BUILT))
        try:
            _build(directory)
            (directory / "sts").replace(place)  # at once: others may build it, too
        finally:
            shutil.rmtree(directory)
    return place


def _build(directory: Path) -> None:
    """Generate what reads and writes the messages, and compile it with the policy."""
    bindings = (SHARED / "import" / "wst.h").read_text()
    for struct, members in _MEMBERS.items():
        bindings, times = re.subn(
            rf"(struct wst__{struct}\s*\{{)", rf"\1{members}", bindings, count=1
        )
        assert times == 1, struct
    (directory / "wst.h").write_text(_NAMESPACE + bindings)
    paths = f"{directory}:{SHARED / 'import'}:{SHARED}"
    _run(directory, program("soapcpp2"), "-c", "-L", "-x", "-S", f"-I{paths}", "wst.h")
    sources = [directory / "soapC.c", directory / "soapServer.c", _POLICY]
    sources += [SHARED / "plugin" / f"{name}.c" for name in _PLUGINS]
    sources += [SHARED / "custom" / "struct_timeval.c"]
    folders = [f"-I{directory}", f"-I{SHARED / 'plugin'}", f"-I{SHARED}"]

    def compile_one(source: Path) -> str:
        made = directory / f"{source.stem}.o"
        _run(directory, "cc", *_FLAGS, *folders, "-c", str(source), "-o", str(made))
        return str(made)

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compile_one, sources))
    _run(directory, "cc", *objects, "-o", "sts", *_LIBRARIES)


def _run(directory: Path, *command: str) -> None:
    done = subprocess.run(  # noqa: S603
        command, cwd=directory, check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-4000:])


class GsoapSts:
    """
    One process of it.

    Args:
        directory: Where its files are.
        pki: Issues its certificate.
        certificates: Whether clients have to show one.
    """

    def __init__(
        self, directory: Path, pki: Pki, *, certificates: bool = False
    ) -> None:
        self._directory = directory
        self.ca = pki.write(directory)
        issued = pki.issue("localhost", dns=["localhost"], server=True, key="rsa")
        self._file = directory / "sts.pem"
        chain, key = issued.write(directory, "sts-server")
        self._file.write_bytes(Path(key).read_bytes() + Path(chain).read_bytes())
        self._port = free_port()
        self._ca = str(self.ca) if certificates else "-"
        self._running: Running | None = None

    @property
    def url(self) -> str:
        """Say where it is."""
        return f"https://localhost:{self._port}/trust"

    def __enter__(self) -> Self:
        command = (str(built()), str(self._port), str(self._file), self._ca)
        self._running = Running(self._directory, *command)
        self._running.wait_for_port(self._port)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._running is not None:
            self._running.end()


if __name__ == "__main__":
    sys.stdout.write(f"{built()}\n")
