"""Kill tests: a real desk is SIGKILLed at random moments, and nothing anybody said may be lost or doubled."""
