"""Answers as a validator sees them. Not for the path of a query."""
