"""Health checks at work: when they run, what they found, and what is remembered."""
