"""TLS: the only package that imports OpenSSL."""
