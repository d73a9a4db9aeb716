"""``python -m evaluation.robustness``."""

from evaluation.robustness.command import main

if __name__ == "__main__":
    main()
