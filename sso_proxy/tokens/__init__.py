"""Tokens for backends."""
