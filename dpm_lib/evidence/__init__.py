"""Verified: the tables of equations and symbols, checks with force, the ledger of their rows."""

__all__: list[str] = []
