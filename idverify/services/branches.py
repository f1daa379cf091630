"""The branches of our certificates: each has a root of its own on the offline token (decision 0002)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from idverify.formats.x509 import Purpose


@dataclass(frozen=True, slots=True)
class Branch:
    """The role of a branch's root, what its name says, and where its certificate and revocation list are published."""

    root_role: str
    of: str
    certificate_path: str
    crl_path: str


DOCUMENTS: Final = Branch("root/documents", "documents", "/pki/root.cer", "/pki/crl.der")
TIME_STAMPS: Final = Branch("root/time-stamps", "time stamps", "/pki/time-stamps.cer", "/pki/time-stamps-crl.der")
BRANCHES: Final = (DOCUMENTS, TIME_STAMPS)


def branch_of(purpose: Purpose) -> Branch:
    """Under whose root a signer for this purpose is certified.

    >>> branch_of(Purpose.PAPER).root_role, branch_of(Purpose.TIME_STAMP).root_role
    ('root/documents', 'root/time-stamps')
    """
    return TIME_STAMPS if purpose is Purpose.TIME_STAMP else DOCUMENTS
