"""What if: answers on the path of the server under circumstances that are assumed."""
