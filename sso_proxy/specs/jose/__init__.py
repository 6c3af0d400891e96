"""JSON Web Signatures and keys, read strictly; the only importer of jwcrypto."""
