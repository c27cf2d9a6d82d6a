"""The folder of private keys: files in forms of BIND, sealed or not, and what changes them."""
