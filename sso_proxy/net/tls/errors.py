"""What goes wrong between two ends of a TLS connection."""

from OpenSSL import SSL


class PeerError(SSL.Error):
    """
    The other end is not one that this connection may go on with.

    A kind of OpenSSL's error, so that whoever handles a failed handshake handles
    this as well.  Its text is for the log.
    """
