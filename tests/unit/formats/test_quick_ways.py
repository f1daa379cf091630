"""Plain SD-JWTs are read in quick ways that refuse nothing: with them and without, every document is read alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest import mock

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.errors import DocumentError
from idverify.formats import jose, sdjwt, strict_json
from idverify.formats.sdjwt_vc import SdJwtVc
from idverify.formats.sdjwt_vc_draft import PROFILE
from idverify.formats.strict_json import MAX_DEPTH, encode_json, parse_each, parse_json
from tests.corpus import make_sd_jwt
from tests.corpus.layout import load
from tests.simulators import credential_world as world
from tests.simulators import sd_jwt_mutator

MUTANTS = 4000
ANY_NUMBER = 10_000
NAMES = st.sampled_from(["a", "b", "cnf", "", "_sd", "_sd_alg", "_sdx", "..."])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "_sd", "...", '"_sd"', "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
PLAIN = st.lists(st.booleans(), max_size=2) | st.just({"c": [{}]}) | st.none()
ELEMENTS = (
    st.tuples(st.just("s"), st.sampled_from("abcdefgh"), PLAIN)
    | st.tuples(st.just("s"), st.sampled_from("abcdefgh"), PLAIN)
    | st.tuples(st.sampled_from("st"), NAMES, VALUES)
    | st.tuples(st.sampled_from("st"), VALUES)
    | st.tuples(st.sampled_from("st"), VALUES, VALUES)
)
# Texts that are arrays, that are arrays only next to each other, and that say the same in another way.
ODD_TEXTS = st.sampled_from(
    [
        *(
            b"",
            b"[",
            b"]",
            b"1",
            b'"a"',
            b"{}",
            b"[],[]",
            b"[],0,[]",
            b'["a"',
            b'"b"]',
            b'["a",[',
            b"]]",
            b" []",
            b"[]\n",
        ),
        *(b'[{"a":1,"a":2}]', b'[{"\\u0061":1}]', b'["\\u0061"]', b"[1.0]", b"[1e2]", b"[-0]", b"[NaN]", b"[0.1]"),
        *(b"[9007199254740992]", b"[9007199254740991]", b'["\xff"]', b'["\\ud800"]', b"\xef\xbb\xbf[]", b'["]["]'),
        *(b"[" * deep + b"]" * deep for deep in (MAX_DEPTH, MAX_DEPTH + 1, 2 * MAX_DEPTH, 300)),
    ]
)
TEXTS = st.lists(ODD_TEXTS | st.lists(VALUES, max_size=3).map(encode_json), max_size=8)


def outcome(work: Callable[[], Any]) -> tuple[str, Any]:
    """What comes of it, or the rule that it breaks; whatever is not a ``DocumentError`` is a bug and flies on."""
    try:
        return "read", work()
    except DocumentError as refused:
        return "refused", refused.rule


@contextmanager
def the_long_way() -> Iterator[None]:
    """Every document is parsed text by text, and walked through."""
    with (
        mock.patch.object(sdjwt, "_shown_flat", return_value=None),
        mock.patch.object(strict_json, "_arrays_as_written", return_value=None),
    ):
        yield


def both_ways(work: Callable[[], Any]) -> tuple[tuple[str, Any], tuple[str, Any]]:
    """The outcome with the quick ways, and without."""
    quick = outcome(work)
    with the_long_way():
        return quick, outcome(work)


@given(TEXTS)
def test_texts_together_and_one_by_one(texts: list[bytes]) -> None:
    """Texts parsed together are the values that each is by itself, or are refused by the same rule."""
    together = outcome(lambda: parse_each(texts, "A text", ANY_NUMBER))

    assert repr(together) == repr(outcome(lambda: [parse_json(text, "A text") for text in texts]))


@pytest.mark.parametrize(
    "texts",
    [
        [b"[],0,[]", b"[[]", b"[]]"],  # three arrays in three texts, but not one each
        [b'["a"],["b"]', b'["c"', b'"d"]'],
        [b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), b"1", b"1"],  # few openings in all, since others have none
    ],
)
def test_texts_that_only_fit_together(texts: list[bytes]) -> None:
    """What is sound JSON only when it is joined, or seems shallow only on average, is refused."""
    with pytest.raises(DocumentError):
        parse_each(texts, "A text", ANY_NUMBER)


def test_texts_have_a_cap_together() -> None:
    """Objects and arrays of all texts are counted, before anything is parsed."""
    texts = [b"[[" + b"{},[]," * 10 + b"not JSON"] * 9

    assert outcome(lambda: parse_each(texts, "A text", 9 * 22 - 1)) == ("refused", "size")
    assert outcome(lambda: parse_each(texts, "A text", 9 * 22)) == ("refused", "json")


@st.composite
def documents(draw: st.DrawFn) -> tuple[dict[str, Any], list[bytes]]:
    """A payload and disclosures that may or may not belong to each other; many break a rule, some break none."""
    parts = [jose.b64url_encode(encode_json(elements)).encode() for elements in draw(st.lists(ELEMENTS, max_size=4))]
    digests = st.sampled_from([*map(sdjwt.digest_of, parts), "of a decoy"])
    payload = draw(st.dictionaries(NAMES, VALUES, max_size=3) | st.just({"a": 1}))
    hidden = [sdjwt.digest_of(part) for part in parts]
    match draw(st.integers(0, 7)):
        case 0:
            payload["_sd"] = draw(st.lists(digests | st.sampled_from([None, 1, [], {}]), max_size=5))
        case 1:
            payload["a"] = {"_sd": hidden}
        case 2:
            payload["a"] = [{"...": digest} for digest in hidden]
        case 3:
            payload["_sd"], payload["a"] = hidden, {"_sd": draw(st.lists(digests, max_size=2))}
        case 4:
            payload["_sd"] = [*hidden, *draw(st.lists(digests, max_size=2))]
        case 5:
            payload["_sd"] = ["of a decoy", "of a decoy", *hidden[1:]]
        case _:
            payload["_sd"] = [*hidden, "of a decoy"]
    payload["_sd_alg"] = draw(st.sampled_from(["sha-256", "sha-256", "sha-256", "sha-512", None]))
    return payload, parts


@given(documents())
def test_disclosures_flat_and_by_the_walk(document: tuple[dict[str, Any], list[bytes]]) -> None:
    """Claims and places are the same without the quick way, and so is the rule that refuses."""
    payload, parts = document
    text = encode_json(payload)

    def disclosed() -> tuple[bytes, Any]:
        disclosures = sdjwt.read(b"~".join([b"the signed part", *parts, b""])).disclosures
        found = sdjwt.disclose(orjson.loads(text), disclosures)
        return orjson.dumps(found.claims, None, orjson.OPT_SORT_KEYS), found.places

    quick, long = both_ways(disclosed)
    assert quick == long


@pytest.mark.parametrize(
    ("names", "listed", "rule"),
    [
        ("a", ["decoy", "decoy"], "digest-once"),  # one disclosure too many, and one digest too few
        ("ab", ["decoy"], "all-referenced"),
        ("a", ["decoy", "decoy", "a"], "digest-once"),
        ("aa", ["a"], "disclosure-once"),
        ("c", ["c"], "property-is-new"),
    ],
)
def test_what_nearly_is_plain(names: str, listed: list[str], rule: str) -> None:
    """Wrongs that make up for each other in number are refused as each of them is."""
    parts = {name: jose.b64url_encode(encode_json(["salt", name, 1])).encode() for name in names}
    digests = [sdjwt.digest_of(parts[name]) if name in parts else name for name in listed]
    disclosures = sdjwt.read(b"~".join([b"the signed part", *(parts[name] for name in names), b""])).disclosures
    payload = {"c": 1, "_sd": digests, "_sd_alg": "sha-256"}

    assert outcome(lambda: sdjwt.disclose(payload, disclosures)) == ("refused", rule)


def test_mutants_both_ways() -> None:
    """Thousands of changed presentations are read alike, and some of both kinds are among them."""
    random, form, seen = Random(9), SdJwtVc(), set()  # noqa: S311  to be drawn again
    for _ in range(MUTANTS):
        document = sd_jwt_mutator.mutant(random)
        quick, long = both_ways(lambda document=document: form.read(document))  # type: ignore[misc]
        assert quick == long
        seen.add(quick[0])

    assert seen == {"read", "refused"}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in load(make_sd_jwt.FOLDER)])
def test_hostile_documents_both_ways(case: Any) -> None:
    """Every document of the corpus is read alike."""
    quick, long = both_ways(lambda: SdJwtVc().read(case.document))
    assert quick == long


def test_what_we_issue_is_read_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents of our own need no walk, and their disclosures no parsing one by one: else nothing here is compared."""

    def never(*_: Any) -> None:
        raise AssertionError("a document of our own took the long way")

    document = world.issue()
    expected = SdJwtVc().read(document)
    monkeypatch.setattr(sdjwt, "_Disclosing", never)
    monkeypatch.setattr(strict_json, "_decode_json", never)

    assert SdJwtVc().read(document) == expected


def test_a_header_fits_by_profile_and_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that was found in order for one kind of token, or before a rule came, is looked at again for another."""
    token = sdjwt.read(world.issue()).issuer_signed
    other = jose.TokenProfile("A list", "statuslist+jwt", "x5c")
    for _ in range(2):
        assert outcome(lambda: jose.read_jws(token, PROFILE))[0] == "read"
        assert outcome(lambda: jose.read_jws(token, other)) == ("refused", "header-typ")

    def header_never(*_: Any) -> None:
        raise DocumentError("header-never", "No header is in order.")

    monkeypatch.setattr(jose, "HEADER_RULES", (*jose.HEADER_RULES, header_never))
    assert outcome(lambda: jose.read_jws(token, PROFILE)) == ("refused", "header-never")
