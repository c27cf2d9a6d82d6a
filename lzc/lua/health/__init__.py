"""Which health checks may be made, by what they would reach and by who decided what they are."""
