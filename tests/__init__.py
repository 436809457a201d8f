"""Tests mirror the rooms; town/ holds promises, chaos/ kills, fakes/ the platforms."""
