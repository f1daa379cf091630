"""The keys of the open token: handles looked up once and held, and what the token says of each."""

from typing import Any

from pkcs11 import Attribute, Mechanism, ObjectClass, PKCS11Error, Session, Slot

from hsm.algorithms import SCHEMES, mechanism_of
from hsm.attributes import mechanism_name
from hsm.ckr import Fault
from hsm.frames import Status
from hsm.interface import Interface
from hsm.keys import Algorithm, KeyInfo
from hsm.recognition import RECOGNISED_BY, recognise
from hsm.signing import SigningKey, by_token, public_key
from hsm.verify import PublicKey, spki_of

_STAYS_INSIDE_BY = (Attribute.NEVER_EXTRACTABLE, Attribute.ALWAYS_SENSITIVE)
_BORN_HERE_BY = (Attribute.LOCAL, *_STAYS_INSIDE_BY)

_DESCRIBED_BY = [Attribute.ID, Attribute.LABEL, Attribute.KEY_GEN_MECHANISM, *_BORN_HERE_BY, *RECOGNISED_BY]

_KINDS = (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY)


class KeyRing:
    """Handles by CKA_ID. A look-up reads every object of the token, so each key pays for one and no more."""

    def __init__(self, session: Session, interface: Interface | None = None, *, tells_origin: bool = True) -> None:
        self.session = session
        self.interface = interface
        self.tells_origin = tells_origin
        self._vouched_by = _BORN_HERE_BY if tells_origin else _STAYS_INSIDE_BY
        self.listed = frozenset(mechanism_names(session.token.slot))
        self._signing: dict[bytes, SigningKey] = {}
        self._secret: dict[bytes, tuple[Algorithm, Any]] = {}
        self._witness = self._any_key()

    def mechanism(self, algorithm: Algorithm) -> Mechanism:
        """The mechanism with which this token carries an algorithm out."""
        name = mechanism_of(algorithm, self.listed)
        if name is None:
            wanted = " or ".join(f"CKM_{use}" for use in SCHEMES[algorithm].uses)
            raise Fault(
                Status.POLICY,
                f"Expected a token that lists {wanted} for {algorithm}, got one that does not. "
                "Choose an algorithm that docs/providers.md has for it.",
            )
        return Mechanism[name]

    def signing(self, key: bytes) -> SigningKey:
        """The key pair of this id."""
        held = self._signing.get(key)
        if held is None:
            private = self._find(ObjectClass.PRIVATE_KEY, key)
            algorithm = _usable(private, key, self._vouched_by)
            if algorithm is None:
                raise Fault(Status.POLICY, f"Expected key {key.hex()} to be a signing key, got another kind.")
            public = self._public(algorithm, key)
            sign = by_token(private, self.mechanism(algorithm))
            held = self._signing[key] = SigningKey(algorithm, sign, public, key)
        return held

    def secret(self, key: bytes, wanted: Algorithm) -> Any:
        """The secret key of this id, which must be for the algorithm that the operation needs."""
        held = self._secret.get(key)
        if held is None:
            found = self._find(ObjectClass.SECRET_KEY, key)
            algorithm = _usable(found, key, self._vouched_by)
            if algorithm is None:
                raise Fault(Status.POLICY, f"Expected key {key.hex()} to be an {wanted} key, got another kind.")
            held = self._secret[key] = (algorithm, found)
        if held[0] is not wanted:
            raise Fault(Status.POLICY, f"Expected key {key.hex()} to be an {wanted} key, got an {held[0]} key.")
        return held[1]

    def forget(self, key: bytes) -> None:
        """Hold the handles of this key no longer."""
        self._signing.pop(key, None)
        self._secret.pop(key, None)

    def inventory(self) -> list[KeyInfo]:
        """Every key of ours, read from the token anew; keys of other kinds are left out."""
        keys: list[KeyInfo] = []
        for kind in _KINDS:
            for found in list(self.session.get_objects({Attribute.CLASS: kind, Attribute.TOKEN: True})):
                described = self.describe(found, kind)
                if described is not None:
                    keys.append(described)
        return sorted(keys, key=lambda key: (key.label, key.id))

    def describe(self, found: Any, kind: ObjectClass) -> KeyInfo | None:
        """What the token says of one private or secret key, None when it is none of ours."""
        attributes = found.get_attributes(_DESCRIBED_BY)
        algorithm = recognise(attributes)
        if algorithm is None:
            return None
        identity = attributes.get(Attribute.ID, b"")
        return KeyInfo(
            id=identity,
            label=attributes.get(Attribute.LABEL, ""),
            algorithm=algorithm,
            public_key=self._public_half(algorithm, identity) if kind is ObjectClass.PRIVATE_KEY else None,
            local=bool(attributes.get(Attribute.LOCAL)),
            never_extractable=bool(attributes.get(Attribute.NEVER_EXTRACTABLE)),
            always_sensitive=bool(attributes.get(Attribute.ALWAYS_SENSITIVE)),
            made_by=mechanism_name(attributes.get(Attribute.KEY_GEN_MECHANISM)),
        )

    def _public_half(self, algorithm: Algorithm, key: bytes) -> bytes | None:
        """None where it is missing, or there are several: one damaged key must not hide the others."""
        try:
            return spki_of(self._public(algorithm, key)) if key else None
        except Fault as fault:
            if fault.status in {Status.KEY_MISSING, Status.AMBIGUOUS}:
                return None
            raise

    def _public(self, algorithm: Algorithm, key: bytes) -> PublicKey:
        return public_key(algorithm, self._find(ObjectClass.PUBLIC_KEY, key))

    def _find(self, kind: ObjectClass, key: bytes) -> Any:
        if not key:
            raise Fault(Status.POLICY, "Expected a key id, got an empty one. See `python -m hsm inventory`.")
        found = list(self.session.get_objects({Attribute.CLASS: kind, Attribute.ID: key}))
        if len(found) > 1:
            raise Fault(Status.AMBIGUOUS, f"Expected one {kind.name} {key.hex()}, got {len(found)}. Remove the others.")
        if not found:
            self._assert_sighted()
            raise Fault(
                Status.KEY_MISSING,
                f"Expected a {kind.name} with id {key.hex()}, got none. See `python -m hsm inventory`.",
            )
        return found[0]

    def _any_key(self) -> Any | None:
        """The first key there is, without reading the others."""
        for kind in _KINDS:
            found = next(self.session.get_objects({Attribute.CLASS: kind, Attribute.TOKEN: True}), None)
            if found is not None:
                return found
        return None

    def _assert_sighted(self) -> None:
        """Tell "no such key" from "this process no longer sees the token".

        When SoftHSM's storage goes away and comes back, a process that had it open finds nothing for ever after.
        Then the key that was there at the start has gone too, and only a fresh process can say more.
        """
        try:
            if self._witness is not None:
                self._witness[Attribute.LABEL]
        except PKCS11Error as error:
            raise Fault(
                Status.SESSION_LOST, "Expected to see the token's keys, got none. The signer process is being replaced."
            ) from error


def mechanism_names(slot: Slot) -> list[str]:
    """The mechanisms that a slot lists, by name; the vendor's own have none."""
    listed: set[Any] = slot.get_mechanisms()
    return [mechanism.name for mechanism in listed if isinstance(mechanism, Mechanism)]


def _usable(found: Any, key: bytes, vouched_by: tuple[Attribute, ...]) -> Algorithm | None:
    """What a key is for, once the token has vouched that it was made inside and never left.

    Raises `Fault`: a key that somebody brought along is refused, whatever it is for.
    """
    attributes = found.get_attributes([*vouched_by, *RECOGNISED_BY])
    missing = [attribute.name for attribute in vouched_by if not attributes.get(attribute)]
    if missing:
        raise Fault(
            Status.KEY_REFUSED,
            f"Expected key {key.hex()} to be {', '.join(each.name for each in vouched_by)}, got one that is not "
            f"{' nor '.join(missing)}. Others may have it: make a new one with `python -m hsm ceremony`.",
        )
    return recognise(attributes)
