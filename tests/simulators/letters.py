"""Letters of the synthetic authority, small and written by hand: the honest one, and what others would make of it."""

from __future__ import annotations

import datetime as dt
import io
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import pikepdf
from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import SigMDPSetup
from pyhanko.sign.signers.pdf_byterange import SignatureObject

from idverify.errors import DocumentError
from idverify.formats import cms, x509
from idverify.formats.jose import der_signature
from idverify.formats.pdf import revisions
from idverify.formats.qr_image import write_code
from tests.simulators import code_world as code
from tests.simulators import credential_world as world
from tests.simulators import paper_world as paper
from tests.simulators import stamp_world as stamps

NAMES: Final = ("family_name", "given_name")
SAID: Final[Mapping[str, Any]] = {"family_name": "Example", "given_name": "Ada"}
CREDENTIAL, RECEIPT = "credential.sdjwt", "receipt.tlog-proof"
Key = ec.EllipticCurvePrivateKey


def credential(**changes: Any) -> bytes:
    """The SD-JWT VC in a letter: bound to no key."""
    said = {"cnf": None, "status": code.STATUS, "exp": world.NOW + 90 * world.DAY, **SAID} | changes
    return world.sd_jwt(world.payload(**said))


@cache
def honest_code() -> bytes:
    """The paper code on the letter."""
    return code.issue(dict(SAID))


def states(claims: Mapping[str, Any], language: str, rows: Sequence[Sequence[str]]) -> None:
    """How these letters say things: a row for each name."""
    shown = [[cell.strip() for cell in row] for row in rows]  # PDFium makes a space of the gap between two texts
    if language != "en" or shown != [[name, claims[name]] for name in NAMES if name in claims]:
        raise DocumentError("visible-text", "The letter says otherwise than its credential.")


def drawn(
    rows: Sequence[tuple[str, str]] = tuple(SAID.items()),
    codes: Sequence[bytes] | None = None,
    files: Sequence[tuple[str, bytes]] | None = None,
    change: Callable[[pikepdf.Pdf], None] = lambda _: None,
) -> bytes:
    """A tagged page with a table, codes and attachments; ``change`` is made before it is written, always alike."""
    pdf = pikepdf.new()
    font = pdf.make_indirect(
        pikepdf.Dictionary(
            Type=pikepdf.Name.Font,
            Subtype=pikepdf.Name.Type1,
            BaseFont=pikepdf.Name.Helvetica,
            Encoding=pikepdf.Name.WinAnsiEncoding,
        )
    )
    pdf.add_blank_page(page_size=(500, 400))
    page = pdf.pages[0]
    page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font), XObject=pikepdf.Dictionary())
    content = []
    for number, text in enumerate(text for row in rows for text in row):
        x, y = 20 + 100 * (number % 2), 380 - 14 * (number // 2)
        tag = b"TD" if number % 2 else b"TH"
        content.append(
            b"/%s <</MCID %d>> BDC BT /F1 10 Tf %d %d Td (%s) Tj ET EMC" % (tag, number, x, y, text.encode())
        )
    for number, text in enumerate([honest_code()] if codes is None else codes):
        page.Resources.XObject[f"/Q{number}"] = _image(pdf, text)
        content.append(b"q 220 0 0 220 %d 20 cm /Q%d Do Q" % (20 + 240 * number, number))
    page.Contents = pdf.make_stream(b"\n".join(content))
    _tag(pdf, page, len(rows))
    for name, attached in [(CREDENTIAL, credential())] if files is None else files:
        _attach(pdf, name, attached)
    pdf.Root.Lang = "en"
    change(pdf)
    buffer = io.BytesIO()
    pdf.save(buffer, deterministic_id=True, compress_streams=False, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return buffer.getvalue()


def _image(pdf: pikepdf.Pdf, text: bytes) -> Any:
    picture = Image.open(io.BytesIO(write_code(text.decode(), "png", 1))).convert("L")
    return pdf.make_stream(
        zlib.compress(picture.tobytes(), 9),
        Type=pikepdf.Name.XObject,
        Subtype=pikepdf.Name.Image,
        Width=picture.width,
        Height=picture.height,
        ColorSpace=pikepdf.Name.DeviceGray,
        BitsPerComponent=8,
        Filter=pikepdf.Name.FlateDecode,
    )


def _tag(pdf: pikepdf.Pdf, page: Any, rows: int) -> None:
    def element(kind: str, parent: Any, kids: Any) -> Any:
        return pdf.make_indirect(
            pikepdf.Dictionary(Type=pikepdf.Name.StructElem, S=pikepdf.Name(f"/{kind}"), P=parent, Pg=page.obj, K=kids)
        )

    root = pdf.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.StructTreeRoot))
    table = element("Table", root, pikepdf.Array())
    cells = []
    for number in range(rows):
        row = element("TR", table, pikepdf.Array())
        both = [element(kind, row, 2 * number + place) for place, kind in enumerate(("TH", "TD"))]
        row.K = pikepdf.Array(both)
        table.K.append(row)
        cells += both
    root.K = table
    root.ParentTree = pdf.make_indirect(pikepdf.Dictionary(Nums=pikepdf.Array([0, pikepdf.Array(cells)])))
    page.StructParents = 0
    pdf.Root.StructTreeRoot = root
    pdf.Root.MarkInfo = pikepdf.Dictionary(Marked=True)


def _attach(pdf: pikepdf.Pdf, name: str, content: bytes) -> None:
    stream = pdf.make_stream(content, Type=pikepdf.Name.EmbeddedFile)
    spec = pdf.make_indirect(
        pikepdf.Dictionary(
            Type=pikepdf.Name.Filespec,
            F=name,
            UF=name,
            AFRelationship=pikepdf.Name.Data,
            EF=pikepdf.Dictionary(F=stream, UF=stream),
        )
    )
    if "/AF" not in pdf.Root:
        pdf.Root.AF = pikepdf.Array()
    pdf.Root.AF.append(spec)


@cache
def signed(level: str = "B-B") -> bytes:
    """The honest letter."""
    return paper.rounds(paper.prepared(level, drawn()))[0]


def signed_by(
    pdf: bytes,
    chain: Sequence[bytes] | None = None,
    key: Key = world.ISSUER_KEY,
    *,
    permission: MDPPerm | None = MDPPerm.NO_CHANGES,
    subfilter: SigSeedSubFilter = SigSeedSubFilter.PADES,
    at: int = world.NOW,
    field: str = "Signature",
    stampings: Sequence[stamps.Stamping] = (),
) -> bytes:
    """A PDF signed by anybody, in any way, with any time stamps over the signature."""
    leaf = list(chain or [paper.paper_signer()])
    moment = dt.datetime.fromtimestamp(at, dt.UTC)
    reserved = revisions.RESERVED * max(1, len(stampings))
    place_for = SignatureObject(timestamp=moment, subfilter=subfilter, bytes_reserved=reserved)
    certify = permission is not None
    mdp = SigMDPSetup(md_algorithm="sha256", certify=certify, docmdp_perms=permission) if certify else None
    written, place = revisions._placed(revisions._writer(pdf), field, place_for, mdp)
    attributes = cms.signed_attributes(cms.DATA, place.digest, leaf[0])
    signature = world.sign(key, attributes)
    unsigned = stamps.attribute(stampings, der_signature(signature))
    return place.filled(written, cms.sealed(cms.DATA, None, attributes, signature, leaf, unsigned))


def stamped(*stampings: stamps.Stamping, chain: Sequence[bytes] | None = None) -> bytes:
    """The honest letter, with these time stamps over its signature."""
    return signed_by(drawn(), chain, stampings=stampings)


def paper_leaf(*more: tuple[cryptography_x509.ExtensionType, bool], signs: bool = True) -> bytes:
    """A certificate of the paper signer's that our own profile would never build."""
    usual = x509.read_certificate(code.LEAF if signs else world.ROOT).extensions
    names = x509.read_certificate(code.LEAF).extensions
    extensions = [
        (names.get_extension_for_class(cryptography_x509.SubjectAlternativeName).value, False),
        (usual.get_extension_for_class(cryptography_x509.KeyUsage).value, True),
        (cryptography_x509.ExtendedKeyUsage([x509.Purpose.PAPER.value]), True),
    ]
    return world.unusual_leaf([*extensions, *more])


def encrypted(pdf: bytes, password: str) -> bytes:
    """The PDF under a password, which may be empty; with RC4, whose bytes are always alike."""
    buffer = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        kept = pikepdf.Encryption(owner="owner", user=password, R=3, aes=False, metadata=False)
        opened.save(buffer, deterministic_id=False, static_id=True, encryption=kept)
    return buffer.getvalue()


def later(pdf: bytes, change: Callable[[IncrementalPdfFileWriter], None]) -> bytes:
    """The PDF with a revision more, as anybody may append one."""
    writer = revisions._writer(pdf)  # which takes nothing from the clock
    change(writer)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()
