"""Status lists as CBOR Web Tokens (draft-ietf-oauth-status-list-21 section 5.2), and either form as it comes.

The same packed bytes and the same rules as in a JWT (``status_list``); what mdocs refer to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from idverify.core.credential import Issuer
from idverify.errors import DocumentError
from idverify.formats import cose, status_list, strict_cbor
from idverify.formats.base import ToBeSigned
from idverify.formats.status_list import MAX_TOKEN, VERSION, WHAT, StatusList, StatusListClaims, StatusListToken

MEDIA_TYPE: Final = "application/statuslist+cwt"
PROFILE: Final = cose.MessageProfile(WHAT, cose.ES256, MEDIA_TYPE)
_TAG: Final = b"\xd2"  # COSE_Sign1_Tagged, which section 5.2 asks for; the tag of a CWT (61) must not be there
_SUB, _AUD, _EXP, _NBF, _IAT, _TTL, _STATUS_LIST = 2, 3, 4, 5, 6, 65534, 65533
_NAMES: Final[Mapping[int | str, str]] = {
    _SUB: "sub",
    _AUD: "aud",
    _EXP: "exp",
    _NBF: "nbf",
    _IAT: "iat",
    _TTL: "ttl",
    VERSION: VERSION,
}


def prepare(statuses: StatusList, claims: StatusListClaims, issuer: Issuer, compressed: bytes) -> ToBeSigned:
    """The bytes that the status key signs; ``compressed`` is what ``status_list.compress`` made of the list."""
    body = {
        _SUB: claims.uri,
        _EXP: claims.expires_at,
        _IAT: claims.issued_at,
        _TTL: claims.ttl,
        VERSION: claims.version,
        _STATUS_LIST: {"bits": statuses.bits, "lst": compressed},
    }
    payload = strict_cbor.encode({name: value for name, value in body.items() if value is not None})
    protected = strict_cbor.encode({cose.ALG: cose.ES256, cose.TYP: MEDIA_TYPE})
    return ToBeSigned(cose.sign1_input(protected, payload), (protected, payload, *issuer.chain))


def seal(unsigned: ToBeSigned, signature: bytes) -> bytes:
    """The finished token."""
    protected, payload, *chain = unsigned.remainder
    carried = chain[0] if len(chain) == 1 else chain  # RFC 9360 section 2: one certificate stands alone
    return _TAG + cose.sign1(protected, {cose.X5CHAIN: carried}, payload, signature)


def read(encoded: bytes) -> StatusListToken:
    """Parse and inflate, with caps; trusts nothing. Raises ``DocumentError``."""
    if len(encoded) > MAX_TOKEN:
        raise DocumentError("size", f"{WHAT} may be {MAX_TOKEN} bytes long; got {len(encoded)}.")
    if encoded[:1] != _TAG:
        raise DocumentError("cwt-tag", f"{WHAT} as a CWT must be a COSE_Sign1 with its tag, 18, and no other.")
    seen = cose.read_message(encoded, PROFILE)
    if seen.payload is None:
        raise DocumentError("cwt", f"{WHAT} must have its claims in it.")
    body = strict_cbor.decode(seen.payload, WHAT)
    if type(body) is not dict:
        raise DocumentError("cwt", f"The claims of {WHAT[0].lower()}{WHAT[1:]} must be a map.")
    listed = body.get(_STATUS_LIST)
    if type(listed) is not dict or type(listed.get("lst")) is not bytes:
        raise DocumentError("status-list", "status_list must be a map with bits and lst.")
    status_list.aggregation_uri(listed)
    verify = partial(cose.verify_signature, seen, seen.payload, what="the status list")
    statuses = status_list.statuses_of(listed.get("bits"), listed["lst"])
    named = {_NAMES[label]: body[label] for label in _NAMES if label in body}
    return StatusListToken(status_list.claims_of(named), statuses, cose.x5chain(seen, WHAT), verify)


# Media type -> who reads it. A JWT is text, a COSE_Sign1 is not.
FORMS: Final[Mapping[str, Callable[[bytes], StatusListToken]]] = {
    status_list.MEDIA_TYPE: status_list.read,
    MEDIA_TYPE: read,
}


def media_type_of(encoded: bytes) -> str:
    """The form that the bytes look like; whatever is no CWT is read as a JWT."""
    return status_list.MEDIA_TYPE if encoded[:1].isascii() else MEDIA_TYPE


def read_either(encoded: bytes) -> StatusListToken:
    """A status list in the form that it has. Raises ``DocumentError``."""
    return FORMS[media_type_of(encoded)](encoded)
