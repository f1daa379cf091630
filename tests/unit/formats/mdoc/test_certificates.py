"""Document signers of others: isomdl's good and bad ones."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path

import pytest

from idverify.errors import DocumentError
from idverify.formats import x509
from idverify.formats.mdoc.rules import PURPOSES

IN_2023 = int(dt.datetime(2023, 12, 1, tzinfo=dt.UTC).timestamp())


@pytest.fixture
def folder(third_party: Path) -> Path:
    """Where the certificates are."""
    return third_party / "mdoc" / "isomdl" / "presentation"


def der(folder: Path, name: str) -> bytes:
    """One certificate."""
    return base64.b64decode((folder / f"{name}.pem").read_text().split("-----")[2])


def test_a_good_signer_holds(folder: Path) -> None:
    """In its time, and in no other; the region of root and signer is known."""
    chain, roots, at = (der(folder, "isomdl_iaca_signer"),), (der(folder, "isomdl_iaca_root_cert"),), IN_2023
    leaf = x509.verify_chain(chain, roots, at, purposes=PURPOSES)

    assert leaf.region == leaf.root_region
    assert leaf.region.country == "US"
    assert x509.names_as_issuer(*chain, *roots)
    with pytest.raises(DocumentError) as refused:
        x509.verify_chain(chain, roots, at + 10**9, purposes=PURPOSES)
    assert refused.value.rule == "path-validity"


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (("isomdl_incorrect_iaca_signer",), "leaf-not-ca"),
        (("isomdl_iaca_intermediate",), "leaf-not-ca"),
        (("isomdl_iaca_leaf_signer",), "path"),
        (("isomdl_iaca_leaf_signer", "isomdl_iaca_intermediate"), "path"),
        (("owf_multipaz_ds_p384",), "certificate"),  # its serial number is negative
    ],
)
def test_bad_signers_do_not(folder: Path, names: tuple[str, ...], rule: str) -> None:
    """An authority as signer, one under an authority that may certify nobody, one under another root."""
    chain, roots = tuple(der(folder, name) for name in names), (der(folder, "isomdl_iaca_root_cert"),)
    with pytest.raises(DocumentError) as refused:
        x509.verify_chain(chain, roots, IN_2023, purposes=PURPOSES)
    assert refused.value.rule == rule
