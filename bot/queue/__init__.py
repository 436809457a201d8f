"""The work queue: durable due work, kept in order per key, urgent before bulk, tried again until it is done."""
