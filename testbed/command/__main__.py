"""``python -m testbed.command``: the console command where it is not installed."""

from testbed.command.main import main

if __name__ == "__main__":
    main()
