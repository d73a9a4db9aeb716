"""Tables on a terminal: whatever its width, each number is there as a whole."""

import io

import pytest
from rich.console import Console

from testbed.command.tables import Row, print_table

HEADINGS = tuple(f"score_{place}" for place in range(12))
ROWS = [
    Row(name, tuple(f"{sign}.{place:03}" for place in range(12)))
    for name, sign in (("first", "+"), ("a_rather_long_name_of_a_proxy", "-"))
]


def printed(width: int, rows=ROWS, **options) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, markup=False)
    print_table("proxy", HEADINGS, rows, console, **options)
    return file.getvalue()


@pytest.mark.parametrize("width", [24, 40, 80, 200])
def test_no_number_is_cut_at_any_width(width):
    text = printed(width)
    for row in ROWS:
        assert all(cell in text.split() for cell in row.cells)
    assert all(heading in text.split() for heading in HEADINGS)
    assert max(map(len, text.splitlines())) <= width


def test_what_fits_is_one_block_and_what_does_not_repeats_the_names():
    assert printed(200).count("first") == 1
    assert "\n\n" not in printed(200)
    assert printed(80).count("first") == printed(80).count("\n\n") + 1 > 1


def test_a_name_that_takes_half_of_the_width_is_folded_whole():
    lines = printed(40).splitlines()
    folded = "".join(line[:20].strip() for line in lines[2:4])
    assert folded == ROWS[1].name


def test_a_table_of_names_alone_is_one_block():
    console = Console(file=io.StringIO(), width=40)
    print_table("proxy", (), [Row("first", ())], console, title="nothing else")
    assert console.file.getvalue().split() == ["nothing", "else", "proxy", "first"]
