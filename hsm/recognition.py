"""Which algorithm of the table a key of the token is for."""

from collections.abc import Mapping
from typing import Any

from pkcs11 import Attribute, KeyType

from hsm.algorithms import SCHEMES, Purpose, Scheme
from hsm.keys import Algorithm

_MARKS = {purpose: Attribute[purpose.value] for purpose in Purpose}

RECOGNISED_BY = (Attribute.KEY_TYPE, Attribute.EC_PARAMS, Attribute.PARAMETER_SET, *_MARKS.values())
"""The attributes of a private or secret key that `recognise` needs."""


def recognise(attributes: Mapping[Attribute, Any]) -> Algorithm | None:
    """The algorithm a key is for, None when it is none of ours."""
    return next((algorithm for algorithm, scheme in SCHEMES.items() if _fits(scheme, attributes)), None)


def _fits(scheme: Scheme, attributes: Mapping[Attribute, Any]) -> bool:
    return (
        attributes.get(Attribute.KEY_TYPE) == KeyType[scheme.key_type]
        and bool(attributes.get(_MARKS[scheme.purpose]))
        and (not scheme.curves or attributes.get(Attribute.EC_PARAMS) in scheme.curves)
        and (scheme.parameter_set is None or attributes.get(Attribute.PARAMETER_SET) == scheme.parameter_set)
    )
