"""Chat flows, one file each: a file dropped into this folder that names a `flow` is live."""
