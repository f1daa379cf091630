import pytest
from tests.unit.services.test_row_rules import _broken, _changed, at_rest
CH = {
 "exchange": "UPDATE decision SET authorisation_id = (SELECT d.authorisation_id FROM decision d WHERE d.kind IN ('suspend','revoke') AND d.id <> decision.id), approval_id=(SELECT d.approval_id FROM decision d WHERE d.kind IN ('suspend','revoke') AND d.id <> decision.id) WHERE kind IN ('suspend','revoke')",
 "other key on lone": "UPDATE authorisation SET security_key_id = (SELECT id FROM security_key k WHERE k.account_id <> authorisation.account_id LIMIT 1) WHERE act='offer-credential'",
 "other key+destroyed": "UPDATE authorisation SET evidence=x'00', security_key_id = (SELECT id FROM security_key k WHERE k.account_id <> authorisation.account_id LIMIT 1) WHERE act='offer-credential'",
 "keys deleted, evidence destroyed?": "DELETE FROM security_key",
 "act renamed": "UPDATE authorisation SET act='add-security-key' WHERE act='offer-credential'",
 "grant alone by other act": "UPDATE decision SET authorisation_id=(SELECT authorisation_id FROM proposal LIMIT 1) WHERE kind='grant'",
 "account renamed": "UPDATE authorisation SET account_id=(SELECT id FROM account a WHERE a.id<>authorisation.account_id LIMIT 1) WHERE act='offer-credential'",
}
@pytest.mark.parametrize("k", CH)
def test_x(k, at_rest, tmp_path):
    try: print("PROBE", k, _broken(_changed(at_rest, tmp_path, CH[k])))
    except Exception as e: print("PROBE", k, "EXC", repr(e))
