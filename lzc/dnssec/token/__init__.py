"""Keys whose private halves lie in a hardware module or its like: tokens of PKCS #11."""
