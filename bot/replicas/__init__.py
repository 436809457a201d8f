"""Several processes on one database: who keeps the watch, and how one's commit wakes the others."""
