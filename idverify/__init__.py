"""Issues and verifies signed identity credentials, with keys in a PKCS#11 HSM and a transparency ledger."""

__version__ = "0.1.0"
