"""The house rules that a machine can keep."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from importlib.metadata import metadata, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from idverify.web.assets import NODE_MODULES, PACKAGED

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
RUN_LOCK, TEST_LOCK, NODE_LOCK = (ROOT / f"requirements{kind}.lock" for kind in ("", "-test", "-node"))
FRONTEND = ROOT / "idverify" / "web" / "frontend"
INTEROP = ROOT / "tests" / "interop"

# All that a part may import besides the standard library: an allow-list, where import-linter can only forbid.
ALLOWED_IMPORTS = {
    "hsm/": {"hsm", "asn1crypto", "cryptography", "pkcs11", "rich"},  # asn1crypto comes with pkcs11: CMS and TSP
    "idverify/ledger/": {"idverify.ledger", "cbor2", "cryptography"},
    "idverify/core/": {"idverify.core", "idverify.errors", "pydantic"},
    "idverify/__main__.py": {"idverify.bootstrap"},
    "idverify/bootstrap.py": {
        "idverify.cli",
        "idverify.errors",
        "idverify.page_packages",
        "idverify.prerequisites",
    },
    "idverify/page_packages.py": {"idverify.prerequisites"},
    "idverify/prerequisites.py": {"idverify.errors"},
    "idverify/errors.py": set(),
}

# Licences by every name that distributions give them in their metadata
PERMISSIVE = {
    "Apache 2.0",
    "Apache Software License",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD License",
    "BSD-3-Clause, Apache-2.0, dependency licenses",  # pypdfium2: PDFium is built of permissive parts alone
    "ISC License (ISCL)",
    "MIT",
    "MIT License",
    "MIT-0",
    "MIT-CMU",  # of Pillow
    "MPL-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)",  # in fido2: the public suffix list, which is data
    "PSF-2.0",
    "Python Software Foundation License",
}

# What is offered under several licences, each for the whole, and the one of them that it is used under
CHOSEN = {"pyphen": "Mozilla Public License 1.1 (MPL 1.1)"}

UNFIT_FOR_FILES = {
    "a path of one machine": re.compile(r"/(?:work|root|home|Users)/"),
    "the address of a package index": re.compile(
        r"pypi\.org|pythonhosted\.org|registry\.npmjs|\.pkg\.dev|artifact(?:ory|-registry)", re.IGNORECASE
    ),
}


def project_files() -> list[Path]:
    """Every file that is, or would be, in the repository; the walk stands in where git does not know the folder."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        names = done.stdout.split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    hidden = {".venv", ".git", "node_modules", "data", "dist", "build"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not hidden & set(path.relative_to(ROOT).parts)]


FILES = project_files()
MODULES = [path for path in FILES if path.suffix == ".py"]


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.Module) -> Iterator[str]:
    """Every absolute module name that a file imports from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            yield str(node.module)


def comments(path: Path) -> Iterator[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return ((token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT)


def pins(lock: Path) -> dict[str, str]:
    """Name to pin, with its marker, of each requirement in a lock."""
    lines = (line.removesuffix("\\").strip() for line in lock.read_text().splitlines() if not line.startswith(" "))
    return {canonicalize_name(Requirement(line).name): line for line in lines}


def licences(distribution: str) -> set[str]:
    """Return what a distribution says it is under: the SPDX expression, else the classifiers, else the free text."""
    about = metadata(distribution)
    if expression := about.get("License-Expression"):
        return set(re.split(r" (?:AND|OR) |[()]", expression)) - {""}
    classifiers = [line for line in about.get_all("Classifier") or [] if line.startswith("License :: OSI Approved :: ")]
    return {line.rpartition(" :: ")[2] for line in classifiers} or {str(about.get("License"))}


def test_every_module_says_what_it_is() -> None:
    """A module starts with a docstring."""
    silent = [place(module) for module in MODULES if not ast.get_docstring(ast.parse(module.read_text()))]

    assert silent == []


def test_parts_import_only_what_they_may() -> None:
    """The parts that others rely on reach for nothing beyond their own list."""
    found = [
        f"{place(module)} imports {name}"
        for part, allowed in ALLOWED_IMPORTS.items()
        for module in MODULES
        if place(module).startswith(part)
        for name in imports(ast.parse(module.read_text()))
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not any(name == own or name.startswith(f"{own}.") for own in allowed)
    ]

    assert found == []


def test_the_product_imports_only_what_the_run_lock_installs() -> None:
    """Nothing works here only because a tool of the tests brought it along."""
    installed, provides = pins(RUN_LOCK), packages_distributions()
    found = [
        f"{place(module)} imports {name}"
        for module in MODULES
        if place(module).startswith(("hsm/", "idverify/"))
        for name in (name.partition(".")[0] for name in imports(ast.parse(module.read_text())))
        if name not in sys.stdlib_module_names | {"hsm", "idverify"}
        and not any(canonicalize_name(owner) in installed for owner in provides.get(name, ()))
    ]

    assert found == []


def test_every_exemption_has_a_code_and_a_reason() -> None:
    """Silencing a linter or the type checker names the rule, and the linter's also says why."""
    complete = re.compile(r"noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*\s.*\w|type: ignore\[[a-z-]+(, ?[a-z-]+)*\]")
    found = [
        f"{place(module)}:{line} {comment}"
        for module in MODULES
        for line, comment in comments(module)
        if re.search(r"\bnoqa\b|type: ignore", comment) and not complete.search(comment)
    ]

    assert found == []


def test_no_file_knows_the_machine_it_was_made_on() -> None:
    """Neither paths of one machine nor addresses of package indexes are in any file."""
    found = [
        f"{place(path)}: {what}: {match.group()}"
        for path in FILES
        for what, pattern in UNFIT_FOR_FILES.items()
        if (match := pattern.search(path.read_bytes().decode("utf-8", "replace")))
    ]

    assert found == []


@pytest.mark.parametrize("lock", [RUN_LOCK, TEST_LOCK, NODE_LOCK], ids=place)
def test_locks_are_pins_and_hashes_and_nothing_else(lock: Path) -> None:
    """No header, no address, no option: each line is a pin or a hash, and every pin is followed by a hash."""
    text = lock.read_text()
    pin = r"[a-z0-9-]+==[0-9a-z.]+(?: ; [a-z_ !='0-9A-Z]+)? \\\n"
    hashes = r"(?:    --hash=sha256:[0-9a-f]{64} \\\n)*    --hash=sha256:[0-9a-f]{64}\n"

    assert re.fullmatch(f"(?:{pin}{hashes})+", text)


def test_the_test_lock_holds_every_pin_of_the_run_lock() -> None:
    """A `.venv` made for tests runs the product with the very versions that production has."""
    missing = pins(RUN_LOCK).items() - pins(TEST_LOCK).items()

    assert missing == set()


@pytest.mark.parametrize(
    ("requirements", "lock"),
    [
        (PROJECT["dependencies"], RUN_LOCK),
        (PROJECT["optional-dependencies"]["test"], TEST_LOCK),
        (PYPROJECT["dependency-groups"]["node"], NODE_LOCK),
    ],
    ids=["run", "test", "node"],
)
def test_every_dependency_is_locked_within_its_bounds(requirements: list[str], lock: Path) -> None:
    """What pyproject.toml asks for is pinned, at a version that it allows."""
    pinned = pins(lock)
    for requirement in map(Requirement, requirements):
        (version,) = Requirement(pinned[canonicalize_name(requirement.name)]).specifier

        assert requirement.specifier.contains(version.version), f"{requirement} is locked at {version}"


def test_run_time_distributions_are_permissively_licensed() -> None:
    """Everything installed to run the product may be used, changed and shipped with it."""
    needed = [Requirement(line) for line in pins(RUN_LOCK).values()]
    found = {
        requirement.name: strange
        for requirement in needed
        if requirement.marker is None or requirement.marker.evaluate()
        if (strange := licences(requirement.name) - PERMISSIVE)
        if CHOSEN.get(requirement.name) not in strange
    }

    assert found == {}


@pytest.mark.parametrize("folder", [FRONTEND, INTEROP], ids=place)
def test_npm_packages_are_locked_by_hash_and_nothing_else(folder: Path) -> None:
    """Every npm package is a version and a SHA-512; no address of one is in the lock, and none in npm's settings."""
    lock = json.loads((folder / "package-lock.json").read_text())
    asked = json.loads((folder / "package.json").read_text())
    _, *packages = lock["packages"].values()
    digest = re.compile(r"sha512-[A-Za-z0-9+/]{86}==")
    locked = {name.removeprefix("node_modules/"): each["version"] for name, each in lock["packages"].items() if name}

    assert all(digest.fullmatch(package["integrity"]) and "resolved" not in package for package in packages)
    assert (asked.get("dependencies", {}) | asked["devDependencies"]).items() <= locked.items()
    for package in packages:
        package.pop("funding", None)  # where its authors take money
    texts = (json.dumps(packages), *((folder / name).read_text() for name in ("package.json", ".npmrc")))
    assert [text for text in texts if "://" in text] == []


@pytest.mark.parametrize("folder", [FRONTEND, INTEROP], ids=place)
def test_npm_packages_are_permissively_licensed(folder: Path) -> None:
    """What pages are made of may be shipped; what only tests them may also be under the MPL."""
    lock = json.loads((folder / "package-lock.json").read_text())
    shipped, tested = set[str](), set[str]()
    for package in lock["packages"].values():
        names = set(re.split(r" AND |[()]", package["license"])) - {""}
        (tested if package.get("dev") else shipped).update(names)

    assert shipped <= PERMISSIVE - {"MPL-2.0"}
    assert tested <= PERMISSIVE | {"0BSD", "Zlib"}


def test_the_wheel_holds_what_pages_load() -> None:
    """Git ignores the npm packages, so what is served of them is named to the build, with its licence."""
    packed = set(PYPROJECT["tool"]["hatch"]["build"]["artifacts"])
    folder = f"/{place(NODE_MODULES)}/"
    served = {folder + file for file, _ in PACKAGED.values()}

    assert served <= packed
    assert all((ROOT / file[1:]).is_file() for file in packed)
