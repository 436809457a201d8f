"""Excel and CSV files in and out: people, units, the roster; incidents, roll calls and the log."""
