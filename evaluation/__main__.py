"""``python -m evaluation``: a menu."""

import evaluation
from testbed.command.menu import print_menu


def main() -> None:
    """Print the menu."""
    print_menu(evaluation)


if __name__ == "__main__":
    main()
