import pytest

from testbed.spaces.nasbench201.cost import parameters
from testbed.spaces.nasbench201.genotype import Genotype, GenotypeError
from testbed.spaces.nasbench201.isomorphism import unique_ids
from testbed.spaces.nasbench201.selection import SELECTION_HELP, select

STRING = str(Genotype.from_index(11))


def ids(words):
    genotypes = select(str(words))
    assert all(isinstance(genotype, Genotype) for genotype in genotypes)
    return [genotype.index for genotype in genotypes]


@pytest.fixture
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder, *lines):
    path = folder / "architectures.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


# --- forms ----------------------------------------------------------------------------


def test_all_is_the_space():
    assert ids("all") == list(range(15625))


def test_unique_is_the_representatives():
    assert ids("unique") == list(unique_ids())
    assert len(ids("unique")) == 6466


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("0", [0]),
        ("15624", [15624]),
        ("284,0,11", [284, 0, 11]),
        (" 284 , 0,\t11\n", [284, 0, 11]),
        ("5-9", [5, 6, 7, 8, 9]),
        ("7-7", [7]),
        ("15620-15624", list(range(15620, 15625))),
        ("8,2-4,0", [8, 2, 3, 4, 0]),
        ("3,1-4,3,2", [3, 1, 2, 4]),
        (STRING, [11]),
        (f"  {STRING}\n", [11]),
    ],
)
def test_ids_ranges_and_strings(in_an_empty_folder, words, expected):
    assert ids(words) == expected


def test_a_range_may_be_the_whole_space():
    assert ids("0-15624") == list(range(15625))


# --- samples --------------------------------------------------------------------------


def test_a_spread_has_as_many_sizes_as_there_are():
    found = select("spread:24")
    sizes = [parameters(cell) for cell in found]
    assert len(set(sizes)) == 24
    assert (sizes[0], sizes[-1]) == (73306, 1531546)
    assert sizes == sorted(sizes)
    assert {cell.index for cell in select("spread:6466")} == set(unique_ids())


@pytest.mark.parametrize("words", ["spread:0", "spread:", "spread:7000", "spread:٣"])
def test_a_spread_of_no_number(words):
    with pytest.raises(GenotypeError, match="spread"):
        select(words)


def test_a_sample_is_of_unique_architectures_each_once():
    found = ids("sample:500")
    assert len(found) == len(set(found)) == 500
    assert set(found) <= set(unique_ids())
    everywhere = sum(unique_ids()) / 6466
    assert sum(found) / 500 == pytest.approx(everywhere, rel=0.1)  # not the first of the list
    assert found != sorted(found)


def test_a_larger_sample_contains_a_smaller():
    large = ids("sample:300:4")
    for count in (1, 2, 77, 299):
        assert ids(f"sample:{count}:4") == large[:count]


def test_a_sample_depends_on_its_seed_alone():
    assert ids("sample:50") == ids("sample:50:0") == ids("sample:50")
    assert len({tuple(ids(f"sample:50:{seed}")) for seed in range(4)}) == 4


def test_the_largest_sample_is_all_unique_ones():
    found = ids("sample:6466:1")
    assert sorted(found) == list(unique_ids())


# --- files ----------------------------------------------------------------------------


def test_a_file_names_one_or_more_on_each_line(tmp_path):
    path = written(
        tmp_path, "# chosen by hand", "5", "", f"  {STRING}  ", "2-3, 0", "5", "   #  end"
    )
    assert ids(path) == [5, 11, 2, 3, 0]


def test_a_file_may_have_the_line_ends_of_windows(tmp_path):
    path = tmp_path / "dos.txt"
    path.write_bytes(b"# one\r\n4\r\n\r\n2\r\n")
    assert ids(path) == [4, 2]


def test_a_relative_file_name_is_enough(in_an_empty_folder):
    written(in_an_empty_folder, "9")
    assert ids("architectures.txt") == [9]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["0", "# fine", "15625"], r"line 3: architecture id 15625 is outside"),
        (["0", "zero"], r"line 2: cannot read 'zero'"),
        (["0", "", "9-3"], r"line 3: the range '9-3' runs backwards"),
        (["|none~0|"], r"line 1: not an architecture string"),
        (["# nothing", ""], r"names no architecture"),
        ([], r"names no architecture"),
    ],
)
def test_a_file_error_names_the_file_and_the_line(tmp_path, lines, expected):
    path = written(tmp_path, *lines)
    with pytest.raises(GenotypeError, match=expected) as caught:
        select(str(path))
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"\x80\x02\xff\xfe")
    with pytest.raises(GenotypeError, match=r"cannot read architectures from .*weights\.pth"):
        select(str(path))


# --- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "cannot read ''"),
        ("   ", "cannot read ''"),
        ("ALL", "cannot read 'ALL'"),
        ("missing.txt", "cannot read 'missing.txt'.*no such file"),
        (".", "cannot read '.'"),
        ("a\0b", "cannot read"),
        ("1,,2", "cannot read ''"),
        ("1,2,", "cannot read ''"),
        ("-3", "cannot read '-3'"),
        ("3-", "cannot read '3-'"),
        ("1-2-3", "cannot read '1-2-3'"),
        ("1.5", "cannot read '1.5'"),
        ("²", "cannot read '²'"),
        ("7-5", "'7-5' runs backwards"),
        ("15625", "15625 is outside the space: expected 0 to 15624"),
        ("15620-99999999999999999999", "15625 is outside"),
        ("99999999999999999999", "99999999999999999999 is outside"),
        ("sample:", "expected sample:N or sample:N:SEED.*got 'sample:'"),
        ("sample:ten", "expected sample:N or"),
        ("sample:-1", "expected sample:N or"),
        ("sample:1.5", "expected sample:N or"),
        ("sample:5:", "expected sample:N or"),
        ("sample:5:x", "expected sample:N or"),
        ("sample:5:1:2", "expected sample:N or"),
        ("sample:0", "1 to 6466 architectures; got 0"),
        ("sample:6467", "1 to 6466 architectures; got 6467"),
        ("|none~0|", r"expected '\+\|' at character 8"),
    ],
)
def test_what_cannot_be_read_says_so(in_an_empty_folder, words, expected):
    with pytest.raises(GenotypeError, match=expected):
        select(words)


def test_the_error_lists_every_form(in_an_empty_folder):
    with pytest.raises(GenotypeError) as caught:
        select("nonsense")
    assert SELECTION_HELP in str(caught.value)
    for form in ("all", "unique", "sample:N:SEED", "0-99", "string", "file"):
        assert form in SELECTION_HELP


def test_many_ids_are_no_file_name():
    many = list(range(0, 3000, 2))
    assert ids(",".join(map(str, many))) == many


def test_a_name_too_long_for_a_file_is_a_plain_error():
    with pytest.raises(GenotypeError, match="cannot read"):
        select("x" * 5000)


@pytest.mark.parametrize("words", ["sample:" + "9" * 5000, "sample:5:" + "9" * 5000])
def test_a_sample_of_thousands_of_digits_is_a_plain_error(words):
    with pytest.raises(GenotypeError):
        select(words)


def test_an_id_of_thousands_of_digits_in_a_file_is_a_plain_error(tmp_path):
    with pytest.raises(GenotypeError):
        select(str(written(tmp_path, "9" * 5000)))


@pytest.mark.parametrize("words", ["(4, 0, 3, 1, 4, 2)", "(4,0,3,1,4,2)", "file"])
def test_naslib_s_numbers_name_an_architecture(tmp_path, words):
    # By hand, from the authors' conversion of numbers: source by source, operations of their own.
    string = (
        "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    )
    if words == "file":
        (tmp_path / "archs.txt").write_text("(4, 0, 3, 1, 4, 2)\n11\n")
        first, second = select(str(tmp_path / "archs.txt"))
        assert second.index == 11
    else:
        (first,) = select(words)
    assert str(first) == string


@pytest.mark.parametrize(
    "words", ["(4, 0, 3)", "(4, 0, 3, 1, 4, 5)", "(4, 0, 3, 1, 4, 3", "(a)", "()", "(-1,0,0,0,0,0)"]
)
def test_numbers_that_name_none_are_refused(words):
    with pytest.raises(GenotypeError, match="six operations"):
        select(words)
