"""DNSSEC: keys and what the parent has of them, keystore, signatures, denial of existence."""
