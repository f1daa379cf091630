"""Letters of invented people, drawn."""

from __future__ import annotations

import base64
import datetime as dt
import warnings
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from idverify.core.letter import LetterContent
from idverify.formats.pdf.attachments import CREDENTIAL, RECEIPT
from idverify.formats.pdf.render import render
from idverify.formats.qr_image import write_code
from idverify.web.letter.letterhead import PrintedLetterhead

AT: Final = 1_794_787_200  # 15 November 2026
PORTRAIT: Final = files("idverify.app").joinpath("portraits", "nia.jpg").read_bytes()
CODE: Final = "IDV1:" + "A9B%" * 150  # of the size that a letter has
CODE_WITH_PORTRAIT: Final = "IDV1:" + "A9B%" * 450
ATTACHED: Final = {CREDENTIAL: b"eyJhbGciOiJFUzI1NiJ9.e30.c2ln~", RECEIPT: b"c2sp.org/tlog-proof@v1\nindex 7\n"}

CLAIMS: Final[Mapping[str, Any]] = {
    "family_name": "Dd\u0177fed-\u0110\u1eb7ng",
    "given_name": "Nia \u0141ucja",
    "birthdate": "1990-05-03",
    "nationalities": ["UT"],
    "picture": "data:image/jpeg;base64," + base64.b64encode(PORTRAIT).decode(),
    "travel_document": {"type": "P", "number": "X1234567", "issuing_state": "UTO", "expiry": "2031-01-31"},
    "status_type": {"code": "SKILLED-WORKER", "text": "Skilled worker"},
    "permission_start": "2026-01-01",
    "permission_end": None,
    "conditions": ["NO-PUBLIC-FUNDS", "REGISTER"],
    "work": {"allowed": "limited", "hours_per_week": 20, "occupations_text": "Nurse", "self_employed": False},
    "study": {"allowed": "yes"},
    "rent": {"allowed": "yes"},
    "travel": {"allowed": "no"},
    "public_funds": {"recourse": False},
    "age_over_18": True,
    "status_reference": "0123456789abcdef" * 2,
    "decision_date": "2025-12-20",
    "issuing_authority": "Utopia Immigration Office",
    "issuing_country": "UT",
    "identity_assurance": {"time": "2025-12-01", "trust_framework": "gpg45", "assurance_level": "medium"},
}
IDENTITY: Final[Mapping[str, Any]] = {
    "family_name": "Dd\u0177fed",
    "given_name": "Nia",
    "birthdate": "1990-05-03",
    "place_of_birth": {"locality": "Aberystwyth", "country": "GB"},
    "nationalities": ["GB"],
    "picture": "",
    "sex": 2,
    "address": {"street_address": "1 Heol y Bont", "locality": "Aberystwyth", "country": "GB"},
    "date_of_issuance": "2026-01-01",
    "date_of_expiry": "2036-01-01",
    "issuing_authority": "Utopia Registry",
    "issuing_country": "UT",
    "attestation_legal_category": "PID",
    "identity_assurance": {"assurance_level": "not_stated"},
}


@cache
def letterhead() -> PrintedLetterhead:
    """Made once: its templates are compiled with their first letter."""
    return PrintedLetterhead()


def content(claims: Mapping[str, Any] = CLAIMS, language: str = "en", **other: Any) -> LetterContent:
    """A letter of an immigration status, unless ``other`` says otherwise."""
    said: dict[str, Any] = {
        "template": "immigration_status",
        "type_name": "Immigration status",
        "claims": claims,
        "authority": "Utopia Immigration Office",
        "language": language,
        "large": False,
        "portrait_in_code": False,
        "reference": "7K4M-22PX-9QQA",
        "issued_on": dt.date(2026, 11, 15),
        "expires_on": dt.date(2029, 11, 14),
        "check_at": "https://id.example/verify",
    }
    return LetterContent(**said | other)


def pictures(letter: LetterContent) -> dict[str, bytes]:
    """What its HTML shows."""
    text = CODE_WITH_PORTRAIT if letter.portrait_in_code else CODE
    return {"code": write_code(text, "png"), "portrait": PORTRAIT}


def drawn(letter: LetterContent, html: str | None = None, attached: Mapping[str, bytes] = ATTACHED) -> bytes:
    """The PDF, by the job's function."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # WeasyPrint leaves the file of its colour profile open
        return render(html or letterhead().html(letter), pictures(letter), attached, AT)


KINDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "English": {},
    "Welsh": {"language": "cy"},
    "large": {"large": True},
    "Welsh, large, portrait in the code": {"language": "cy", "large": True, "portrait_in_code": True},
    "identity, no photo": {
        "claims": IDENTITY,
        "template": "person_identification",
        "type_name": "Person identification data",
        "demo": True,
    },
}


@cache
def letter(kind: str = "English") -> bytes:
    """One of each kind, drawn once."""
    return drawn(content(**KINDS[kind]))
