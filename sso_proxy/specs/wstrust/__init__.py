"""WS-Trust 1.3, as the side that asks for tokens."""
