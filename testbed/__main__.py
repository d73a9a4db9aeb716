"""``python -m testbed``: a menu."""

import testbed
from testbed.command.menu import print_menu


def main() -> None:
    """Print the menu."""
    print_menu(testbed)


if __name__ == "__main__":
    main()
