"""A real directory: OpenLDAP's slapd with some people and groups."""

import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sso_proxy.config.secrets import Secret
from sso_proxy.testing.pki import Issued, Pki
from tests.support.programs import Backend, Running, free_port, program

BASE = "dc=example,dc=com"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
BOB = f"uid=bob,{PEOPLE}"
READER, READER_PASSWORD = f"cn=reader,{BASE}", "s3cret-of-the-reader"
NOBODY = f"cn=nobody,{BASE}"
PASSWORD = "correct horse"
MANY = 40

_CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {directory}/slapd.pid
TLSCACertificateFile {directory}/ca.crt
TLSCertificateFile {directory}/ldap.crt
TLSCertificateKeyFile {directory}/ldap.key
TLSVerifyClient try
authz-regexp "cn=sso-proxy" "{reader}"
database mdb
suffix "{base}"
rootdn "cn=admin,{base}"
directory {directory}/db
maxsize 10485760
overlay memberof
memberof-refint true
access to attrs=userPassword by anonymous auth by * none
access to dn.base="{base}" by * search
access to * by dn.exact="{reader}" read by self read
  by dn.subtree="{people}" read by anonymous auth
"""


def person(uid: str, *lines: str, password: str = PASSWORD) -> str:
    """Write the entry of somebody."""
    return "\n".join(
        (
            f"dn: uid={uid},{PEOPLE}",
            "objectClass: inetOrgPerson",
            f"cn: {uid.strip(chr(92))}",
            f"sn: {uid.strip(chr(92))}",
            *lines,
            *((f"userPassword: {password}",) if password else ()),
            "",
            "",
        )
    )


def _group(cn: str, *members: str, under: str = GROUPS) -> str:
    lines = [f"member: {member}" for member in members]
    head = f"dn: cn={cn},{under}\nobjectClass: groupOfNames\n"
    return head + "\n".join((*lines, "", ""))


def _member_of(*groups: str) -> list[str]:
    return [f"memberOf: {group}" for group in groups]


def _seed() -> str:
    clubs = f"ou=clubs,{BASE}"
    return "".join(
        (
            f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: X\n\n",
            f"dn: {PEOPLE}\nobjectClass: organizationalUnit\n\n",
            f"dn: {GROUPS}\nobjectClass: organizationalUnit\n\n",
            f"dn: {clubs}\nobjectClass: organizationalUnit\n\n",
            f"dn: {READER}\nobjectClass: person\nsn: r\n",
            f"userPassword: {READER_PASSWORD}\n\n",
            f"dn: {NOBODY}\nobjectClass: person\nsn: n\nuserPassword: {PASSWORD}-\n\n",
            f"dn: ou=elsewhere,{PEOPLE}\n",
            "objectClass: referral\nobjectClass: extensibleObject\n",
            f"ref: ldap://127.0.0.1:9/{PEOPLE}\n\n",
            person(
                "bob",
                *("mail: bob@example.com", "jpegPhoto:: /9j/", "title: a"),
                # What the overlay notes when groups are added to a server that runs.
                *_member_of(f"cn=admins,{GROUPS}", f"cn=staff,{GROUPS}"),
                *_member_of(f"cn=admins,{clubs}"),
            ),
            person("carol", "mail: shared@example.com", "title: a", "title: b"),
            person(
                "dave",
                *("mail: shared@example.com", "employeeType: gone"),
                *_member_of(f"cn=admins,{clubs}"),
            ),
            person("eve\\2c cn\\3dadmin", "mail: eve@example.com"),
            person("locked", password=""),
            *(person(f"many{n}", "employeeType: many") for n in range(MANY)),
            _group("admins", BOB),
            _group("staff", BOB, f"uid=carol,{PEOPLE}"),
            _group("admins", f"uid=dave,{PEOPLE}", BOB, under=clubs),
        )
    )


class Slapd:
    """
    A server, with LDAP (and StartTLS) and LDAPS, until the test is over.

    Its certificate is for ``localhost``.

    Args:
        directory: Where its files go.
        more: Entries besides those of all tests, as `person` gives them.

    Attributes:
        directory: Where its files are; ``ca.crt`` is the CA of its certificate, and of
            ``client.crt`` and ``client.key``, by which the reader is known.
        port: For LDAP.
        tls_port: For LDAPS.
    """

    def __init__(self, directory: Path, *more: str) -> None:
        self.directory = directory
        self.port, self.tls_port = free_port(), free_port()
        self.pki = Pki.create("Directory CA")
        (directory / "ca.crt").write_bytes(self.pki.ca_pem)
        self.issue("localhost", dns=["localhost"], server=True).write(directory, "ldap")
        self.issue("sso-proxy", client=True).write(directory, "client")
        (directory / "db").mkdir()
        text = _CONFIG.format(
            directory=directory, base=BASE, reader=READER, people=PEOPLE
        )
        (directory / "slapd.conf").write_text(text)
        seed = subprocess.run(  # noqa: S603
            [program("slapadd"), "-q", "-f", str(directory / "slapd.conf")],
            input="".join((_seed(), *more)).encode(),
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert seed.returncode == 0, seed.stderr
        self.start()

    def issue(self, name: str, **options: Any) -> Issued:  # noqa: ANN401
        """Issue a certificate."""
        return self.pki.issue(name, **options)

    def start(self) -> None:
        """Start it, and wait until it serves."""
        urls = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port}"
        config = str(self.directory / "slapd.conf")
        command = (program("slapd"), "-f", config, "-h", urls, "-d", "0")
        self.running = Running(self.directory, *command)
        self.running.wait_for_port(self.tls_port)

    def kill(self) -> None:
        """End it at once."""
        self.running.process.kill()
        self.running.process.wait(20)

    @property
    def url(self) -> str:
        """Where LDAP is."""
        return f"ldap://localhost:{self.port}"

    @property
    def tls_url(self) -> str:
        """Where LDAPS is."""
        return f"ldaps://localhost:{self.tls_port}"

    def options(self, *, url: str = "", **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """Give the options of whoever searches here as the reader."""
        usual = {
            "servers": (url or self.url,),
            "ca": str(self.directory / "ca.crt"),
            "auth": "simple",
            "bind_dn": READER,
            "bind_password": Secret(READER_PASSWORD),
        }
        return usual | options

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()


def temporary_slapd() -> "tuple[tempfile.TemporaryDirectory[str], Slapd]":
    """Make a directory server in a place of its own."""
    directory = tempfile.TemporaryDirectory(prefix="slapd-")
    return directory, Slapd(Path(directory.name))


class Relay(Backend):
    """
    What stands between us and a server, and takes its time.

    Attributes:
        answers: Whether answers come at all.
        seen: All octets that have come from our side.
    """

    def __init__(self, port: int) -> None:
        self.answers = True
        self.seen = bytearray()
        self._held = 0
        self._said: bytes | None = None
        self._to = port
        super().__init__(self._relay)

    def hold(self) -> None:
        """Keep back all answers on the connections that there are."""
        self._held = self.accepted

    def say(self, answer: bytes) -> None:
        """Give *answer* to whatever is asked first, instead of the server's."""
        self._said = answer

    def _relay(self, ours: socket.socket, number: int) -> None:
        if self._said is not None:
            self.seen += ours.recv(65536)
            ours.sendall(self._said)
            ours.recv(65536)
            return
        with socket.create_connection(("127.0.0.1", self._to), timeout=20) as theirs:
            there = (ours, theirs, number)
            back = threading.Thread(target=self._back, args=there, daemon=True)
            back.start()
            with suppress(OSError):
                while data := ours.recv(65536):
                    self.seen += data
                    theirs.sendall(data)
            with suppress(OSError):
                theirs.shutdown(socket.SHUT_RDWR)
            back.join(20)

    def _back(self, ours: socket.socket, theirs: socket.socket, number: int) -> None:
        with suppress(OSError):
            while data := theirs.recv(65536):
                if self.answers and number >= self._held:
                    ours.sendall(data)
        with suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)
