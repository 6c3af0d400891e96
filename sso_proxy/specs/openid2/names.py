"""Names that OpenID 2.0 and Yadis give to types, media types and themselves."""

from typing import Final

NS: Final = "http://specs.openid.net/auth/2.0"
"""The namespace of every message (section 4.1.2)."""

IDENTIFIER_SELECT: Final = f"{NS}/identifier_select"
"""An identifier for: whichever the provider's user chooses (section 9.1)."""

SERVER: Final = f"{NS}/server"
"""Type of a service: a provider's own identifier (section 7.3.2.1.1)."""

SIGNON: Final = f"{NS}/signon"
"""Type of a service: the identifier of somebody (section 7.3.2.1.2)."""

RETURN_TO: Final = f"{NS}/return_to"
"""Type of a service: where answers to us may go (section 13)."""

XRDS: Final = "application/xrds+xml"
"""The media type of an XRDS document."""

XRDS_LOCATION: Final = "X-XRDS-Location"
"""The field, and the ``http-equiv``, that say where such a document is (Yadis 6.2)."""
