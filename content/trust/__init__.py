"""Whom to believe: trust lists and their chain, revocation lists, and the keys that both leave standing."""
