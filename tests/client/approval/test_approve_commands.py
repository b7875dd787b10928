"""`fedfundus-site approve` as an operator uses it, without a worker."""

from __future__ import annotations

from pathlib import Path

import pytest
from deployed import Site, make_federation, signed_by_kit, write_plan

from client.approval.store import MOST_WAITING, Approvals
from client.approval.trusted import trusted_of_kit
from shared_model.errors import DataError, RunError
from shared_model.run_plan import RunPlan, SignedPlan
from tests.client.approval.conftest import PACKAGE, Run


def test_everything_is_shown_with_its_hash_and_approved_by_it(
    operator: Run, site: Site, kits: Path, signed: SignedPlan, tmp_path: Path
) -> None:
    file = write_plan(signed, tmp_path / "plan.json")
    authority = trusted_of_kit(kits / "paulista", "paulista").fingerprint
    code, told, _ = operator("approve", file, "--kit", site.kit, "--hash", authority, "--hash", PACKAGE)
    assert code == 1
    for shown in (
        PACKAGE,
        signed.sha256,
        "run run-1 of federation north",
        "2 rounds of 2 steps",
        "privacy: none",
    ):
        assert shown in told
    code, told, _ = operator("approve", "--hash", signed.sha256)  # it has been kept, and waits
    assert (code, told.splitlines()[-1]) == (0, "approved; nothing waits")
    assert site.approvals().require(signed, PACKAGE).run == "run-1"


def test_nobody_at_the_keyboard_approves_nothing(
    operator: Run, site: Site, signed: SignedPlan, tmp_path: Path
) -> None:
    site.trust()
    code, _, why = operator("approve", write_plan(signed, tmp_path / "plan.json"))
    assert code == 1
    assert "not everything was approved" in why
    assert site.approvals().packages() == {}
    assert not any(kept.approved for kept in site.approvals().plans().values())


def test_a_short_or_another_hash_approves_nothing(
    operator: Run, site: Site, signed: SignedPlan, tmp_path: Path
) -> None:
    site.trust()
    file = write_plan(signed, tmp_path / "plan.json")
    code, _, why = operator("approve", file, "--hash", signed.sha256[:8])
    assert (code, "at least 16" in why) == (2, True)
    assert operator("approve", file, "--hash", "0" * 64)[0] == 1
    assert not any(kept.approved for kept in site.approvals().plans().values())


def test_a_plan_without_the_coordinators_signature_is_not_even_kept(
    operator: Run, site: Site, kits: Path, plan: RunPlan, tmp_path: Path
) -> None:
    site.trust()
    file = write_plan(signed_by_kit(plan, kits / "moema", "site"), tmp_path / "plan.json")
    code, told, why = operator("approve", file, "--hash", PACKAGE)
    assert (code, "not signed by the coordinator" in why) == (2, True)
    assert "run-1" not in told
    assert site.approvals().plans() == {}


def test_before_a_federation_is_named_no_plan_can_be_believed(
    operator: Run, site: Site, signed: SignedPlan, tmp_path: Path
) -> None:
    code, _, why = operator("approve", write_plan(signed, tmp_path / "plan.json"), "--hash", signed.sha256)
    assert (code, "approve --kit KIT" in why) == (3, True)
    with pytest.raises(RunError, match="has not named the federation"):
        site.approvals().require(signed, PACKAGE)


def test_another_authority_needs_the_operator_and_a_newer_kit_of_the_same_does_not(
    operator: Run, site: Site, kits: Path, tmp_path: Path
) -> None:
    site.trust()
    assert operator("approve", "--kit", site.kit, "--hash", PACKAGE)[0] == 0
    elsewhere = make_federation(tmp_path / "elsewhere") / "paulista"
    assert operator("approve", "--kit", elsewhere, "--hash", PACKAGE)[0] == 1
    assert site.approvals().trusted == trusted_of_kit(kits / "paulista", "paulista")


def test_a_withdrawn_approval_counts_at_once(operator: Run, site: Site, signed: SignedPlan) -> None:
    site.trust()
    approvals: Approvals = site.approvals()
    approvals.approve_package(PACKAGE)
    approvals.approve_plan(signed)
    assert approvals.require(signed, PACKAGE)
    assert operator("approve", "--withdraw", signed.sha256)[0] == 0
    with pytest.raises(RunError, match="has not approved the run plan"):
        approvals.require(signed, PACKAGE)
    approvals.approve_plan(signed)
    assert operator("approve", "--withdraw", PACKAGE)[0] == 0
    with pytest.raises(RunError, match="has not approved the installed package abababababababab"):
        approvals.require(signed, PACKAGE)
    assert operator("approve", "--withdraw", PACKAGE)[0] == 1


def test_what_status_shows_of_a_hash_is_enough_to_withdraw_by(
    operator: Run, site: Site, signed: SignedPlan
) -> None:
    site.trust()
    approvals = site.approvals()
    approvals.approve_package(PACKAGE)
    approvals.approve_plan(signed)
    code, told, _ = operator("status", "--socket", site.socket)
    shown = next(line for line in told.splitlines() if line.startswith("plan ")).split()[1].rstrip(",")
    assert operator("approve", "--withdraw", shown)[:2] == (0, f"withdrawn: {signed.sha256}\n")
    assert operator("approve", "--withdraw", shown)[:2] == (1, "nothing of this hash is approved or waits\n")
    code, _, why = operator("approve", "--withdraw", PACKAGE[:15])
    assert (code, "at least 16" in why) == (2, True)
    assert approvals.packages().keys() == {PACKAGE}
    assert operator("approve", "--withdraw", PACKAGE[:16])[:2] == (0, f"withdrawn: {PACKAGE}\n")


def test_a_hash_that_two_things_begin_with_is_refused(operator: Run, site: Site) -> None:
    site.trust()
    approvals, both = site.approvals(), ("ab" * 16 + "cd" * 16, PACKAGE)
    for package in both:
        approvals.approve_package(package)
    for option in ("--withdraw", "--hash"):
        code, _, why = operator("approve", option, PACKAGE[:20])
        assert (code, "2 hashes begin with" in why) == (2, True)
        assert all(package in why for package in both)
    assert approvals.packages().keys() == set(both)
    assert operator("approve", "--withdraw", PACKAGE)[0] == 0
    assert approvals.packages().keys() == {both[0]}


@pytest.mark.parametrize("approved", [True, False], ids=["withdrawn", "never approved"])
def test_a_plan_that_is_not_wanted_waits_no_more_until_it_is_named(
    operator: Run, site: Site, signed: SignedPlan, approved: bool
) -> None:
    site.trust()
    approvals = site.approvals()
    approvals.approve_package(PACKAGE)
    approvals.approve_plan(signed) if approved else approvals.propose(signed)
    code, told, _ = operator("approve", "--withdraw", signed.sha256[:16])
    assert (code, told) == (0, f"{'withdrawn' if approved else 'declined'}: {signed.sha256}\n")
    with pytest.raises(RunError, match="has not approved the run plan"):
        approvals.require(signed, PACKAGE)  # the coordinator sends it again
    assert not approvals.plans()[signed.sha256].waits
    code, told, _ = operator("approve")
    assert (code, told) == (0, "approved; nothing waits\n")
    _, told, _ = operator("status", "--socket", site.socket)
    assert f"plan {signed.sha256[:16]}, run run-1: withdrawn 20" in told
    assert "WAITS" not in told
    assert operator("approve", "--hash", signed.sha256[:16])[0] == 0
    assert approvals.require(signed, PACKAGE)


def test_plans_that_were_declined_are_remembered_however_many_come(
    operator: Run, site: Site, kits: Path, plan: RunPlan, signed: SignedPlan
) -> None:
    site.trust()
    approvals = site.approvals()
    approvals.propose(signed)
    assert approvals.withdraw(signed.sha256)
    for number in range(MOST_WAITING + 3):
        other = plan.model_copy(update={"run": f"other-{number}"})
        approvals.propose(signed_by_kit(other, kits / "coordinator"))
    assert approvals.plans()[signed.sha256].withdrawn


def test_a_hash_that_nothing_has_is_said_and_is_no_success(
    operator: Run, site: Site, signed: SignedPlan
) -> None:
    site.trust()
    approvals = site.approvals()
    approvals.approve_package(PACKAGE)
    code, told, why = operator("approve", "--hash", "0" * 64)
    assert (code, told, why) == (1, "nothing waits\n", f"nothing of this hash waits: {'0' * 64}\n")
    approvals.propose(signed)
    code, told, why = operator("approve", "--hash", signed.sha256, "--hash", "0" * 64)
    assert (code, f"nothing of this hash waits: {'0' * 64}" in why) == (1, True)
    assert approvals.require(signed, PACKAGE)
    again = operator("approve", "--hash", signed.sha256, "--hash", PACKAGE)  # as a script does
    assert again == (0, again[1], "")


def test_plans_that_nobody_approves_cannot_fill_the_disk(
    site: Site, kits: Path, plan: RunPlan, signed: SignedPlan
) -> None:
    site.trust()
    approvals = site.approvals()
    approvals.approve_plan(signed)
    for number in range(MOST_WAITING + 3):
        other = plan.model_copy(update={"run": f"other-{number}"})
        approvals.propose(signed_by_kit(other, kits / "coordinator"))
    kept = approvals.plans()
    assert len(kept) == MOST_WAITING + 1
    assert kept[signed.sha256].approved
    assert any("other-10" in one.signed.text for one in kept.values())


def test_a_damaged_approval_is_said_and_never_taken_for_one(site: Site, signed: SignedPlan) -> None:
    site.trust()
    approvals = site.approvals()
    approvals.approve_plan(signed)
    path = site.folder / ".fedfundus" / "approval" / "plans" / f"{signed.sha256}.json"
    path.write_bytes(path.read_bytes()[:-3] + b"abc")
    with pytest.raises(DataError):
        approvals.require(signed, PACKAGE)
