"""``python -m proxies``: a menu."""

import proxies
from testbed.command.menu import print_menu


def main() -> None:
    """Print the menu."""
    print_menu(proxies)


if __name__ == "__main__":
    main()
