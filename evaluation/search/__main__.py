"""``python -m evaluation.search``."""

from evaluation.search.command import main

if __name__ == "__main__":
    main()
