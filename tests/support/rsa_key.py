"""One RSA key for all tests that need any: each process imports all of them."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

RSA_KEY: Final = rsa.generate_private_key(65537, 2048)
