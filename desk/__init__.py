"""Jobs of the duty desk: each runs in one open transaction at one frozen moment."""
