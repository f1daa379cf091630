"""mdoc (ISO/IEC 18013-5): elements in namespaces, each salted and hashed into one signed mobile security object.

``credential`` is the format as the product uses it; ``issuer_signed`` and ``mobile_security_object`` are what the
issuer makes, ``device_response`` and ``device_auth`` what the wallet makes of it, ``session_transcript`` what binds an
answer to its request, ``rules`` what each check looks at. Issuance follows the GOV.UK Wallet profile.
"""
