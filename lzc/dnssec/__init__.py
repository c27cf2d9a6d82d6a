"""DNSSEC: keystore, signatures, denial of existence."""
