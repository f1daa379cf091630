"""The fields of a travel document in forms, forgiving about blanks and small letters."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BeforeValidator

from idverify.core.person import DocumentCode, DocumentNumber, IssuingState, TravelDocumentNumber
from idverify.web.pages.forms import Annotated, Form, Says
from idverify.web.pages.words import N_


def _as_printed(typed: Any) -> Any:
    return "".join(typed.split()).upper() if isinstance(typed, str) else typed


Type = Annotated[DocumentCode, BeforeValidator(_as_printed)]
Number = Annotated[DocumentNumber, BeforeValidator(_as_printed)]
State = Annotated[IssuingState, BeforeValidator(_as_printed)]

TYPE: Final = Says(
    N_("Give the document's type, such as P"), N_("The document's type is one or two letters, such as P")
)
NUMBER: Final = Says(
    N_("Give the document's number"), N_("The document's number has letters and digits only, at most 20 of them")
)
STATE: Final = Says(
    N_("Give the issuing state, such as UTO"), N_("The issuing state is a code of up to three letters, such as UTO")
)


class SearchForm(Form):
    """Which travel document to look for."""

    document_type: Annotated[Type, TYPE]
    document_number: Annotated[Number, NUMBER]
    issuing_state: Annotated[State, STATE]

    def document(self) -> TravelDocumentNumber:
        """What the service looks for."""
        return TravelDocumentNumber(
            type=self.document_type, number=self.document_number, issuing_state=self.issuing_state
        )
