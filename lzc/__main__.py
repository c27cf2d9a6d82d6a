"""`python -m lzc` is the console script by another way in."""

from lzc.cli import main

if __name__ == "__main__":
    main()
