"""A zone asked for everything it has and for what it has not, and each answer verified."""
