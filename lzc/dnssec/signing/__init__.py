"""What signs a zone, and what denies names that are not in it."""
