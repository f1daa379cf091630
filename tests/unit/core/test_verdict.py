"""Checks fold into one word, and what is not known is never green."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.core.verdict import REQUIRED, Channel, Check, CheckId, Outcome, Result, fold

channels = st.sampled_from(Channel)
results = st.dictionaries(st.sampled_from(CheckId), st.sampled_from(Result))


def checks(found: dict[CheckId, Result]) -> list[Check]:
    return [Check(check, result, f"{check} is {result}.") for check, result in found.items()]


def everything(result: Result) -> dict[CheckId, Result]:
    return dict.fromkeys(CheckId, result)


@pytest.mark.parametrize("channel", Channel)
def test_all_passed(channel: Channel) -> None:
    """When every check passes the document is accepted."""
    assert fold(checks(everything(Result.PASS)), channel).verdict is Outcome.ACCEPT


@pytest.mark.parametrize("channel", Channel)
def test_only_the_required_passed(channel: Channel) -> None:
    """What is not required may be unknown or not apply: the required checks alone are enough, and just enough."""
    found = everything(Result.NOT_APPLICABLE) | dict.fromkeys(REQUIRED[channel], Result.PASS)

    assert fold(checks(found), channel).verdict is Outcome.ACCEPT


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("check", CheckId)
def test_one_failed(check: CheckId, channel: Channel) -> None:
    """Whichever check fails, required or not, the document is rejected, and what to do now is said."""
    verdict = fold(checks(everything(Result.PASS) | {check: Result.FAIL}), channel)

    assert verdict.verdict is Outcome.REJECT
    assert verdict.next_step.endswith(".")


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("check", CheckId)
@pytest.mark.parametrize("result", [Result.UNKNOWN, Result.NOT_APPLICABLE, None])
def test_one_not_known(check: CheckId, channel: Channel, result: Result | None) -> None:
    """A required check that is unknown, does not apply or was not made refers; any other does no harm."""
    found = everything(Result.PASS)
    if result is None:
        del found[check]
    else:
        found[check] = result
    expected = Outcome.REFER if check in REQUIRED[channel] else Outcome.ACCEPT

    assert fold(checks(found), channel).verdict is expected


@given(found=results, channel=channels)
def test_accepted_means_no_failure_and_nothing_missing(found: dict[CheckId, Result], channel: Channel) -> None:
    """For any set of results: reject exactly if one failed, accept exactly if all required passed and none failed."""
    verdict = fold(checks(found), channel).verdict

    failed = Result.FAIL in found.values()
    complete = all(found.get(check) is Result.PASS for check in REQUIRED[channel])
    assert (verdict is Outcome.REJECT) == failed
    assert (verdict is Outcome.ACCEPT) == (complete and not failed)


@given(found=results, channel=channels, data=st.data())
def test_the_order_of_checks_does_not_matter(
    found: dict[CheckId, Result], channel: Channel, data: st.DataObject
) -> None:
    """The word is the same however the checks are ordered, and a check said twice counts with its worse result."""
    made = checks(found)
    shuffled = data.draw(st.permutations(made))

    assert fold(shuffled, channel).verdict is fold(made, channel).verdict
    assert fold([*made, *checks(everything(Result.FAIL))], channel).verdict is Outcome.REJECT


def test_a_verdict_in_json() -> None:
    """The API's form: the word, every check in order with evidence only where there is some, and the next step."""
    made = [
        Check(CheckId.SIZE, Result.PASS, "Within the limits."),
        Check(CheckId.FORMAT, Result.FAIL, "No.", {"rule": "json"}),
    ]

    assert fold(made, Channel.DOCUMENT).to_json() == {
        "verdict": "reject",
        "checks": [
            {"id": "size", "result": "pass", "detail": "Within the limits."},
            {"id": "format", "result": "fail", "detail": "No.", "evidence": {"rule": "json"}},
        ],
        "next_step": "Send it again, whole, or ask for another one.",
    }


def test_another_kind_of_document_is_no_suspicion() -> None:
    """Whoever shows another document is asked for the right one; a type that its issuer may not issue is reported."""
    for rule, said in (("type-requested", "Ask the person for that one."), ("type-allowed", "tell your supervisor")):
        failed = Check(CheckId.TYPE_ALLOWED, Result.FAIL, "no", {"rule": rule})
        assert said in fold([failed], Channel.PRESENTATION).next_step
