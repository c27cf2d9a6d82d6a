"""From query octets to answer octets, without input or output."""
