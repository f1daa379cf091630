"""What may stand in a name, and when two names are one to whoever reads them."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from idverify.core.names import name_as_read, require_name
from idverify.errors import Unprocessable

# Default_Ignorable_Code_Point of Unicode 14, the version of Python 3.11: DerivedCoreProperties.txt, assigned ones.
IGNORABLE = [
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010)),
    *(*range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF),
    *(0xFFA0, *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), 0xE0001, *range(0xE0020, 0xE0080)),
    *range(0xE0100, 0xE01F0),
]


@pytest.mark.parametrize(
    "name",
    [
        "Ada Admin",
        "Si\u00e2n \u0174yn-Jones",
        "Sia\u0302n",  # the accent as a mark of its own
        "Se\u00e1n O'Neill",
        "Se\u00e1n O\u2019Neill",
        "\u02bbIolani Ka\u02bbahumanu",
        "Nguy\u1ec5n Th\u1ecb H\u1ea1nh",
        "Ay\u015fe I\u015f\u0131k",
        "J\u00f6rg M\u00fcller-L\u00fcdenscheidt 2",
        "Gal\u00b7la Puig",
        "\u0393\u03b9\u03ce\u03c1\u03b3\u03bf\u03c2 \u03a0\u03b1\u03c0\u03b1\u03b4\u03ac\u03ba\u03b7\u03c2",
        "\u0413\u0430\u043d\u043d\u0430 \u0428\u0435\u0432\u0447\u0443\u043a",
        "\u0645\u062d\u0645\u062f \u0639\u0644\u064a",
        "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f \u0663",  # with vowels, and a digit
        "\u05d0\u05b8\u05d3\u05b8\u05dd \u05db\u05d4\u05df",
        "\u0905\u0928\u093f\u0924\u093e \u0936\u0930\u094d\u092e\u093e",
        "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd \u0b9a\u0bc6\u0bb2\u0bcd\u0bb5\u0bbf",
        "\u0e0a\u0e32\u0e0d \u0e27\u0e31\u0e12\u0e19\u0e32",
        "\u4f50\u3005\u6728 \u3055\u304f\u3089",  # Han with its repetition mark, and Hiragana
        "\u30b5\u30e9\u30fb\u30a6\u30a7\u30fc\u30d0\u30fc \u82b1\u5b50",
        "\u674e\u4f1f",
        "\u91d1 \uc11c\uc5f0",
        "Example & Sons (Wales) Ltd., Branch 3/4",
    ],
)
def test_names_of_every_script_stand(name: str) -> None:
    """As they were given; and whoever reads them tells them from others."""
    assert require_name(f"  {name} ") == name
    assert name_as_read(name) != name_as_read("Olive Officer")


def test_what_shows_nothing_makes_nobody_a_second_person() -> None:
    """Every character that Unicode says to ignore: it is refused in a name, and read as if it were not there."""
    for code in IGNORABLE:
        name = f"Ada{chr(code)} Admin"
        assert name_as_read(name) == "ada admin", hex(code)
        with pytest.raises(Unprocessable, match="A name must be"):
            require_name(name)


def test_whatever_character_is_added_it_is_refused_or_read() -> None:
    """All of Unicode: nothing that may stand in a name reads as nothing, and nothing is an error of another kind."""
    unread = []
    for added in map(chr, range(sys.maxunicode + 1)):
        try:
            stands = require_name(f"Ada{added}x")
        except Unprocessable:
            continue
        if name_as_read(stands) == "adax":
            unread.append(added)
    assert unread == []


@pytest.mark.parametrize(
    "name",
    [
        "\u0410da Admin",  # Cyrillic A
        "Ada Adm\u0456n",  # Cyrillic i
        "\u0391da Admin",  # Greek Alpha
        "Ada Admi\u0578",  # Armenian vo
        "J\u0966 Admin",  # Devanagari zero
        "Ada \u13aadmin",  # Cherokee go
        "Ada\u02b9 Admin",  # a prime that is a letter
        "\uff21d\u0430",  # a wide A does not hide the Cyrillic one
        "\u30ed\u0441",
    ],
)
def test_a_letter_of_another_script_is_refused(name: str) -> None:
    """It may look like one of this script, and its owner like somebody else."""
    with pytest.raises(Unprocessable, match="one script"):
        require_name(name)


@pytest.mark.parametrize(
    "name", ["Ada*", "Ada \u2800", "\u0301Ada", "Ada \u0301", "\u00a8", "A\u0007da", "Ada\U0001f511"]
)
def test_other_signs_are_refused(name: str) -> None:
    """Also a mark that stands on no letter."""
    with pytest.raises(Unprocessable, match="A name must be"):
        require_name(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Se\u00e1n O'Neill", "sean\u0301 o\u2019neill".replace("an\u0301", "a\u0301n")),
        ("Ka'ahumanu", "Ka\u02bbahumanu"),
        ("Anne-Marie", "Anne\u2010Marie"),
        ("Ada Admin", "\uff21da\u3000ADMIN"),
        ("Stra\u00dfer", "STRASSER"),
    ],
)
def test_two_ways_to_write_one_name(one: str, other: str) -> None:
    """Marks on their own, apostrophes, hyphens, width and case."""
    assert name_as_read(one) == name_as_read(other)


def test_a_name_as_read_is_read_as_itself() -> None:
    """Or what is stored would not be found by what is shown."""
    for letter in map(chr, range(0x20, 0x3000)):
        if unicodedata.category(letter) not in ("Cn", "Cs"):
            read = name_as_read(f"A{letter}b")
            assert name_as_read(read) == read, hex(ord(letter))
