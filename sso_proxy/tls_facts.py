"""What a TLS connection proved about its client."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256

import attrs


@attrs.frozen(kw_only=True)
class CertificateFacts:
    """
    A client's certificate, as it was sent.

    Attributes:
        der: The leaf in DER.
        chain: The further certificates in DER, in the order sent, without the leaf.
        verified: Our own verify callback accepted the whole chain for this
            connection, or a trusted proxy's did that is believed about it.  False
            means that *der* is a fact and no identity.
        problem: Why not, in OpenSSL's words, for the log; empty if verified.
        thumbprint: ``x5t#S256`` of the leaf: SHA-256 of *der* in base64url without
            padding (RFC 8705 section 3.1).
        subject: The subject's distinguished name (RFC 4514).
        issuer: The issuer's distinguished name (RFC 4514).
        serial: The serial number, lower-case hexadecimal.
        not_after: End of validity, seconds since the epoch.
        names: Subject alternative names in their order: type (``dns``, ``email``,
            ``uri``, ``ip``, ``dn``, ``upn``) and value.
    """

    der: bytes = attrs.field(repr=False)
    chain: tuple[bytes, ...] = attrs.field(default=(), repr=False)
    verified: bool
    problem: str = ""
    thumbprint: str
    subject: str
    issuer: str
    serial: str
    not_after: float
    names: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class TokenBindingId:
    """
    A public key that a client holds for one site (RFC 8471 section 3.2).

    Equal for one key only: there is one way to write it.

    Attributes:
        raw: The structure ``TokenBindingID``: key parameters, length, key.
    """

    raw: bytes

    @property
    def key_parameters(self) -> int:
        """What kind of key it is: 2 is ECDSA on P-256."""
        return self.raw[0]

    @property
    def encoded(self) -> str:
        """The identifier in base64url without padding, as backends get it."""
        return _encode(self.raw)

    @property
    def hash(self) -> str:
        """What tokens that are bound to it have for ``cnf.tbh``."""
        return _encode(sha256(self.raw).digest())


@attrs.frozen(kw_only=True)
class TokenBindings:
    """
    Keys that a client has proved to hold, for one connection (RFC 8473).

    Attributes:
        provided: Its key for us.
        referred: Its key for another site, whose tokens it wants us to bind; None if
            it told none.
        others: Types that no standard has yet, and their keys.
        context: Version, key parameters and exported keying material of the
            connection, 35 octets; empty if it ends before us and nobody says.
    """

    provided: TokenBindingId
    referred: TokenBindingId | None = None
    others: tuple[tuple[int, TokenBindingId], ...] = ()
    context: bytes = attrs.field(default=b"", repr=False)


def _encode(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


@attrs.frozen(kw_only=True)
class TlsFacts:
    """
    What the handshake proved.

    Attributes:
        version: ``TLSv1.2`` or ``TLSv1.3``; empty if a trusted proxy before us ended
            the client's TLS and speaks plain HTTP to us.
        cipher: OpenSSL's name of the cipher suite, or empty likewise.
        server_name: The name the client asked for (SNI), lower-case, or None.
        alpn: The protocol agreed on, or None.
        certificate: The client's, or None if it sent none.
        extended_master_secret: TLS 1.3, or TLS 1.2 with RFC 7627.
        policy: Names the client-certificate rules that this connection was
            accepted under; a Host whose rules have another name is 421.
    """

    version: str
    cipher: str
    server_name: str | None = None
    alpn: str | None = None
    certificate: CertificateFacts | None = None
    extended_master_secret: bool = True
    policy: str = ""
    _exporter: Callable[[bytes, int, bytes | None], bytes] | None = attrs.field(
        default=None, repr=False, eq=False, alias="exporter"
    )
    # Counts when facts are compared: no two connections with Token Binding are alike,
    # and what was decided on one must not be found on another.
    _bindings_reader: Callable[[Sequence[str]], TokenBindings | None] | None = (
        attrs.field(default=None, repr=False, alias="bindings_reader")
    )
    _exported: list[bytes] = attrs.field(factory=list, init=False, repr=False, eq=False)

    @property
    def exported(self) -> bool:
        """Whether anybody has looked at what no two connections share."""
        return bool(self._exported)

    def read_token_bindings(self, values: Sequence[str]) -> TokenBindings | None:
        """
        Check which keys the client proves to hold with one request.

        Args:
            values: The values of its ``Sec-Token-Binding`` fields, all that there are.

        Returns:
            None if this connection has not agreed on Token Binding.

        Raises:
            BadMessageError: 400: they prove nothing, or there is not exactly one on a
                connection that has, or any on another.
        """
        if self._bindings_reader is None:
            return None
        self._exported[:] = [b"token binding"]
        return self._bindings_reader(values)

    def export_key(self, label: bytes, length: int, context: bytes | None) -> bytes:
        """
        Derive keying material that both ends of this connection share (RFC 5705).

        Args:
            label: For example ``EXPORTER-Channel-Binding`` (RFC 9266).
            length: Octets wanted.
            context: None and empty differ in TLS 1.2.

        Raises:
            ValueError: TLS 1.2 without extended master secret (RFC 7627 section 1:
                two connections could have the same secret), or none to be had here.
        """
        if not self.extended_master_secret or self._exporter is None:
            message = "this connection has no keying material that is its own"
            raise ValueError(message)
        self._exported[:] = [label]
        return self._exporter(label, length, context)
