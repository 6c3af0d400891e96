"""Device Bound Session Credentials (W3C, webappsec-dbsc)."""
