"""What other servers need to have the zones: provisioning, by software and version."""
