"""Fake platforms that speak real HTTP on loopback and refuse what the real ones refuse."""
