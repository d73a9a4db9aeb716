"""``python -m testbed.train``."""

from testbed.train.command import main

if __name__ == "__main__":
    main()
