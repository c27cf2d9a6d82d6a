"""The artifact bundle: where the compiler and the server meet."""
