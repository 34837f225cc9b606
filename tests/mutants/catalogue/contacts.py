"""Contacts: who somebody is, what both sides made of them, and what goes out."""

from tests.mutants.mutant import mutant

INTAKE = "services/contacts/sync/inward/intake.py"
TURN = "services/contacts/sync/changing/turn.py"
BODIES = "services/contacts/google/bodies.py"
MERGING = "services/contacts/domain/merging.py"
PUSHING = "services/contacts/domain/pushing.py"
PLANNING = "services/contacts/sync/outward/planning.py"

IN = "tests/integration/contacts/test_taking_in.py"
OUT = "tests/integration/contacts/test_going_out.py"
MATCH = "tests/integration/contacts/test_matching.py"
WRITTEN = "tests/unit/contacts/test_bodies.py"
MERGED = "tests/unit/contacts/test_merging.py"
TOLD = "tests/integration/contacts/test_crm_events.py"

MUTANTS = (
    mutant(
        "match-guessed",
        "Of several contacts that a person can be the first is taken.",
        f"{MATCH}::test_a_person_who_can_be_several_contacts_is_none_until_somebody_says",
        edit=(
            INTAKE,
            "            elif len(candidates) == 1:\n                (contact,) = candidates\n",
            "            elif candidates:\n                contact = candidates[0]\n",
        ),
    ),
    mutant(
        "tenant-walked-for-every-key",
        "All contacts of a tenant are walked for every key of every person who is read.",
        f"{MATCH}::test_contacts_are_found_by_their_keys_whatever_postgres_knows_of_the_table",
        edit=(
            "services/contacts/store/matching.py",
            "@> ARRAY[k.key] OFFSET 0) AS c",
            "@> ARRAY[k.key]) AS c",
        ),
    ),
    mutant(
        "somebody-elses-private-contact",
        "A person becomes the private contact of a colleague.",
        f"{MATCH}::test_nobody_is_somebody_elses_private_contact",
        edit=(
            (
                "services/contacts/sync/inward/matching.py",
                "            and one.is_visible_to(connection.user_id)\n",
                "",
            ),
            (
                "services/contacts/store/matching.py",
                "AND (c.entity_id IS NOT NULL OR c.owner_user_id IS NULL OR c.owner_user_id = $3)",
                "AND $3::text IS NOT NULL",
            ),
        ),
    ),
    mutant(
        "another-tenants-mark",
        "An id in a person means a contact, whichever tenant's it is.",
        f"{MATCH}::test_an_id_of_another_tenants_contact_means_nothing",
        edit=(
            "services/contacts/store/contacts.py",
            'WHERE tenant_id = $1 AND id = ANY($2::uuid[])"',
            "WHERE $1 <> '' AND id = ANY($2::uuid[])\"",
        ),
    ),
    mutant(
        "private-contact-shown",
        "A contact that is in nobody's CRM is shown to the whole tenant.",
        "tests/integration/contacts/test_api.py::"
        "test_a_contact_of_the_crm_is_seen_by_all_and_another_by_its_owner_only",
        edit=(
            "services/contacts/domain/contact.py",
            "return user_id is None or not self.is_private or self.owner_user_id == user_id",
            "return True",
        ),
    ),
    mutant(
        "stale-read-taken-as-an-edit",
        "A list that shows the past undoes what was written.",
        f"{OUT}::test_a_list_that_lags_behind_our_write_is_no_edit",
        f"{IN}::test_what_lists_show_late_is_no_edit",
        edit=(
            INTAKE,
            "known.google_updated and person.updated_at and person.updated_at <",
            "known.google_updated and person.updated_at is None and person.updated_at <",
        ),
    ),
    mutant(
        "echo-told",
        "What is read again, or comes back from us, is told as a change.",
        f"{IN}::test_nothing_is_told_twice_when_all_is_read_anew",
        f"{OUT}::test_one_change_is_one_request_and_its_echo_tells_nothing",
        edit=(
            (
                INTAKE,
                (
                    "        if person.etag and person.etag == known.etag:\n"
                    "            return not known.is_live\n"
                ),
                "",
            ),
            (TURN, "        if after == contact:\n", "        if after is contact:\n"),
            (
                TURN,
                "        if replace(after, crm_version=contact.crm_version) == contact:\n",
                "        if replace(after, crm_version=contact.crm_version) is contact:\n",
            ),
        ),
    ),
    mutant(
        "called-otherwise-and-doubled",
        "Who was called otherwise while the token was lost becomes a second contact.",
        f"{IN}::test_a_person_under_another_name_is_the_same_contact_when_all_is_read_anew",
        edit=(
            "services/contacts/sync/inward/renaming.py",
            "if sources else {}\n",
            "if not sources else {}\n",
        ),
    ),
    mutant(
        "reconnected-book-doubled",
        "Whoever connects an account again has everybody twice.",
        "tests/integration/contacts/test_life.py::"
        "test_a_new_connection_of_the_same_account_doubles_nobody",
        edit=(
            "services/contacts/sync/connections.py",
            "if new.state in RUNNING and not was_running:",
            "if new.state not in RUNNING:",
        ),
    ),
    mutant(
        "ended-creation-forgotten",
        "Who was being created when a connection ended is created again by the next one.",
        "tests/integration/contacts/test_life.py::"
        "test_who_was_being_created_when_a_connection_ended_is_created_once",
        edit=(
            "services/contacts/sync/outward/creating.py",
            "[connection.id, *former],",
            "[connection.id, *former[:0]],",
        ),
    ),
    mutant(
        "double-stays-a-contact",
        "Who was created twice, and read before that was known, stays two contacts.",
        f"{OUT}::test_the_contact_that_a_double_was_read_as_becomes_a_part_of_the_first",
        edit=(
            "services/contacts/sync/outward/landing.py",
            "                    await _unite(turn, kept, contact)\n",
            "",
        ),
    ),
    mutant(
        "joined-while-created-unlabelled",
        "Who joins a group while Google is creating them never gets its label.",
        "tests/integration/contacts/test_group_writes.py::"
        "test_who_joins_a_group_while_google_is_creating_them_gets_its_label",
        edit=(
            "services/contacts/sync/outward/landing.py",
            "                turn.linked(contact.id)  # also of what it has joined since\n",
            "",
        ),
    ),
    mutant(
        "found-again-unlabelled",
        "Who turns out to be in a group never gets its label.",
        "tests/integration/contacts/test_group_writes.py::"
        "test_who_turns_out_to_be_in_a_group_gets_its_label",
        edit=(
            "services/contacts/sync/inward/chunk.py",
            "        self.turn.linked(contact.id)\n",
            "",
        ),
    ),
    mutant(
        "crms-contact-goes-with-a-person",
        "Whoever deletes somebody in Google deletes the CRM's contact.",
        f"{IN}::test_a_contact_that_the_crm_has_stays_when_its_person_goes",
        edit=(
            "services/contacts/sync/inward/parting.py",
            "contact.entity_id is None or connection",
            "contact.id is not None or connection",
        ),
    ),
    mutant(
        "deletions-not-held",
        "A whole address book that is gone takes all contacts with it.",
        f"{IN}::test_a_wave_of_deletions_waits_for_a_person",
        edit=(
            "services/contacts/sync/inward/departures.py",
            "if run.held_since is None and not holds.needs_hold(noted, held):",
            "if run.held_since is None:",
        ),
    ),
    mutant(
        "deletions-at-google-not-held",
        "Whatever the CRM deletes, however much, goes from Google at once.",
        f"{OUT}::test_many_deletions_wait_until_a_person_says_yes",
        edit=(PLANNING, "if not needs_hold(affected, total):", "if affected:"),
    ),
    mutant(
        "written-before-a-yes",
        "An address book is written before anybody has said that it may be.",
        "tests/integration/contacts/test_confirming.py::"
        "test_nothing_is_written_before_somebody_says_yes",
        edit=(
            "services/contacts/domain/connection.py",
            "            and self.confirmed_at is not None\n",
            "",
        ),
    ),
    mutant(
        "a-persons-own-deleted",
        "A contact that is deleted in the CRM goes from the address book of whoever made it.",
        f"{OUT}::test_a_deleted_contact_stays_in_google_where_the_person_made_it",
        edit=(
            PUSHING,
            "    return known.made_by_us or connection",
            "    return True or connection",
        ),
    ),
    mutant(
        "blind-second-creation",
        "A creation whose answer was lost is repeated before lists can show what became of it.",
        f"{OUT}::test_lists_that_lag_behind_for_longer_than_the_first_look_make_no_double",
        edit=(
            "services/contacts/sync/outward/finding.py",
            "until = _until(progress) or now + self._propagation",
            "until = now",
        ),
    ),
    mutant(
        "memberships-in-the-mask",
        "Whoever is changed loses labels and star.",
        f"{WRITTEN}::test_only_the_field_that_changed_is_written_with_the_etags_as_they_were_read",
        edit=(
            BODIES,
            "return Change(body, tuple(sorted(fields)))",
            'return Change(body, tuple(sorted({*fields, "memberships"})))',
        ),
    ),
    mutant(
        "person-without-etag",
        "A change is written over whatever a person has made of somebody.",
        f"{WRITTEN}::test_only_the_field_that_changed_is_written_with_the_etags_as_they_were_read",
        f"{OUT}::test_an_older_etag_is_no_end_but_a_merge",
        edit=(BODIES, 'body = {"etag": etag, "metadata"', 'body = {"metadata"'),
    ),
    mutant(
        "formatted-address-written",
        "An address goes out as Google had put it together, beside its new parts.",
        f"{WRITTEN}::test_what_google_makes_of_an_address_is_never_written",
        edit=(
            BODIES,
            'return {"formattedValue": "", **given}',
            'return {"formattedValue": one.street, **given}',
        ),
    ),
    mutant(
        "profile-written",
        "What somebody's own profile says is written as if it were the contact's.",
        f"{WRITTEN}::test_items_of_the_persons_own_profile_are_never_written",
        edit=(BODIES, '.get("type", "CONTACT") == "CONTACT"', '.get("type", "CONTACT") != ""'),
    ),
    mutant(
        "merge-without-a-base",
        "What only one side changed counts as changed by both.",
        f"{MERGED}::test_an_address_that_one_side_removes_goes",
        edit=(
            MERGING,
            "agreed, wanted, found = flat(base), flat(ours, base)",
            "agreed, wanted, found = flat(Card()), flat(ours, base)",
        ),
    ),
    mutant(
        "oldest-value-stays",
        "Of two changes of a field the older one stays.",
        f"{MERGED}::test_the_newest_change_of_the_same_field_stays",
        edit=(
            MERGING,
            (
                "            ours_at=changed.get(_timed(key), NEVER),\n"
                "            theirs_at=theirs_at,\n"
            ),
            (
                "            theirs_at=changed.get(_timed(key), NEVER),\n"
                "            ours_at=theirs_at,\n"
            ),
        ),
    ),
    mutant(
        "older-version-of-the-crm",
        "An older event of the CRM undoes a newer one.",
        f"{TOLD}::test_an_older_version_changes_nothing",
        edit=(
            "services/contacts/sync/changing/crm_contacts.py",
            "found.crm_version >= event.version",
            "found.crm_version == event.version",
        ),
    ),
    mutant(
        "back-but-not-in-google",
        "A client whom the CRM deleted and has again is never written into Google again.",
        f"{TOLD}::test_who_was_deleted_in_the_crm_and_comes_back_is_in_google_again",
        edit=(
            "services/contacts/sync/outward/landing.py",
            "replace(before, gone_at=now, groups=(), contact_id=None)",
            "replace(before, gone_at=now, groups=())",
        ),
    ),
    mutant(
        "googles-groups-imported",
        "Google's own groups become groups of the CRM.",
        "tests/unit/contacts/test_labelling.py::test_googles_own_groups_and_nameless_ones_never_do",
        edit=(
            "services/contacts/domain/labelling.py",
            "if label.kind is not LabelKind.USER or not label.name:",
            "if not label.name:",
        ),
    ),
    mutant(
        "expired-by-status-only",
        "A sync token is expired only if Google answers 410.",
        "tests/unit/common/google/test_google_errors.py::"
        "test_a_refusal_means_what_its_reason_says[sync token as 400]",
        edit=(
            "libs/common/google/errors.py",
            "if refusal.any_of(_DEAD_CURSOR) or _SYNC_TOKEN_EXPIRED in refusal.message.lower():",
            "if status == 410:",
        ),
    ),
    mutant(
        "gone-and-in-a-group",
        "A contact that became a part of another is a member of groups.",
        "tests/integration/contacts/test_labels.py::"
        "test_who_became_another_contact_is_in_no_group_of_its_own",
        edit=(
            "services/contacts/store/groups.py",
            "AND c.deleted_at IS NULL\n ORDER BY c.id",
            "\n ORDER BY c.id",
        ),
    ),
)
