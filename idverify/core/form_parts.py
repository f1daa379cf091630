"""What the forms of credential types have in common: views by names, and how the identity was checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from idverify.core import assurance
from idverify.core.credential_type import Facts, Form, Purpose, Views
from idverify.core.values import element_values, json_values

SD_JWT_VC: Final = "dc+sd-jwt"
MDOC: Final = "mso_mdoc"
PAPER_CODE: Final = "idv1"


def code_form(whole: Form) -> Form:
    """What a type's paper code says: the same as its SD-JWT VC, of which it is cut, but for the portrait.

    A picture of the size that a wallet holds has no room in a QR code; whoever makes the code puts a small one in.
    """
    return Form(whole.type, lambda facts: {k: v for k, v in whole.claims(facts).items() if k != "picture"}, whole.views)


def claim_views(names: Mapping[Purpose, frozenset[str]]) -> Views:
    """Views of an SD-JWT VC, by names of whole claims; the holder's own choice has no limit."""
    return {**{purpose: frozenset((name,) for name in view) for purpose, view in names.items()}, Purpose.CHOSEN: None}


def element_views(namespace: str, names: Mapping[Purpose, frozenset[str]]) -> Views:
    """Views of an mdoc, by names of elements in ``namespace``; how the identity was checked has its own."""
    homes = {assurance.CLAIM: assurance.NAMESPACE}
    views = {purpose: frozenset((homes.get(name, namespace), name) for name in view) for purpose, view in names.items()}
    return {**views, Purpose.CHOSEN: None}


def assurance_claims(facts: Facts) -> dict[str, Any]:
    """How the identity was checked, as a claim of an SD-JWT VC."""
    return json_values({assurance.CLAIM: assurance.claim(facts.assurance)})


def assurance_elements(facts: Facts) -> dict[str, dict[str, Any]]:
    """How the identity was checked, as a namespace of an mdoc."""
    return {assurance.NAMESPACE: element_values({assurance.CLAIM: assurance.claim(facts.assurance)})}
