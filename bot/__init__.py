"""The machine: everything that touches the world."""
