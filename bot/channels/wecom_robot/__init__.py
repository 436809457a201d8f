"""A WeCom group's robot: summaries for a duty group, send-only."""
