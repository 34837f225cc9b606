"""Whose is whose: each filter on tenant or user, left out."""

from tests.mutants.mutant import mutant

RULE = "services/mail/migrations/0006_pre_copies.sql"
MESSAGES = "services/mail/store/reading.py"
SEARCH = "services/mail/store/search.py"
THREADS = "services/mail/store/threads.py"
ACTIVITIES = "services/mail/store/activities.py"
MAILBOXES = "libs/common/connections/rows.py"
CONNECTIONS = "services/auth/store/connections.py"

READING = "tests/integration/mail/test_api.py"
SEARCHES = "tests/integration/mail/test_search.py"
THREADED = "tests/integration/mail/test_threads.py"
LISTED = "tests/integration/mail/test_activities.py"
SEEN = "tests/integration/mail/test_visibility.py"
API = "tests/integration/auth/test_connections_api.py"

OWN_MAIL = f"{READING}::test_people_read_only_their_own_mail"
OWN_THREADS = f"{THREADED}::test_a_thread_needs_its_connection_and_its_owner"
OWN_FINDS = f"{SEARCHES}::test_people_find_only_their_own_mail"
OWN_LABELS = f"{THREADED}::test_labels_are_listed_with_their_names"
OWN_ACTIVITIES = f"{LISTED}::test_users_see_their_own_mailboxes_and_the_crm_all_of_its_tenant"
OWN_CONNECTIONS = f"{API}::test_everybody_sees_what_is_theirs_and_404_for_the_rest"
UNLINKED = f"{SEEN}::test_mail_that_concerns_nobody_stays_its_owners"

ANY_TENANT = "$1::text IS NOT NULL"
# The rule and each statement both filter by tenant: only without both does anything show.
NO_RULE = (RULE, " WHERE c.tenant_id = of_tenant AND", " WHERE of_tenant IS NOT NULL AND")
OWN_ARM = "WHERE c.own AND m.tenant_id = $1 AND m.connection_id = c.connection_id"
ANY_ARM = f"WHERE c.own AND {ANY_TENANT} AND m.connection_id = c.connection_id"
OTHERS_ARM = "AND m.activity_id IS NOT NULL AND m.deleted_at IS NULL AND NOT m.traced\n"
ANY_OTHERS = "AND m.deleted_at IS NULL AND NOT m.traced\n"

MUTANTS = (
    mutant(
        "mail-of-every-user",
        "Colleagues are shown all of a mailbox, as if it were their own.",
        OWN_FINDS,
        UNLINKED,
        edit=(
            RULE,
            "       to_user IS NULL OR c.user_id = to_user,\n",
            "       to_user IS NULL OR to_user <> '',\n",
        ),
    ),
    mutant(
        "private-mail-shown",
        "Colleagues are shown what its owner keeps private.",
        OWN_MAIL,
        f"{SEEN}::test_activities",
        edit=(RULE, "OR c.visibility <> 'private')", "OR c.visibility <> '')"),
    ),
    mutant(
        "content-not-withheld",
        "Colleagues are shown what mail says of which they may see people and dates alone.",
        f"{SEEN}::test_a_message",
        f"{SEEN}::test_a_search",
        edit=(RULE, "OR c.visibility = 'team'\n", "OR c.visibility <> 'private'\n"),
    ),
    mutant(
        "messages-of-every-tenant",
        "A list of messages shows other tenants' mail.",
        OWN_MAIL,
        edit=(NO_RULE, (MESSAGES, OWN_ARM, ANY_ARM)),
    ),
    mutant(
        "messages-that-concern-nobody",
        "A list of messages shows colleagues' mail that concerns no entity.",
        f"{SEEN}::test_a_list_of_messages",
        edit=(MESSAGES, OTHERS_ARM, ANY_OTHERS),
    ),
    mutant(
        "message-of-any-tenant",
        "A message is shown to whoever knows its id.",
        OWN_MAIL,
        edit=(
            NO_RULE,
            (
                MESSAGES,
                " WHERE m.tenant_id = $1 AND m.id = $2 AND",
                f" WHERE {ANY_TENANT} AND m.id = $2 AND",
            ),
        ),
    ),
    mutant(
        "message-that-concerns-nobody",
        "A message that concerns no entity is shown to colleagues.",
        UNLINKED,
        edit=(MESSAGES, "   AND (c.own OR m.activity_id IS NOT NULL)\n", ""),
    ),
    mutant(
        "messages-of-every-tenants-entity",
        "A list by entity shows the mail of another tenant's entity of the same name.",
        OWN_MAIL,
        edit=(
            NO_RULE,
            (
                MESSAGES,
                " WHERE l.tenant_id = $1 AND l.entity_type = $11",
                f" WHERE {ANY_TENANT} AND l.entity_type = $11",
            ),
        ),
    ),
    mutant(
        "search-finds-every-tenants-mail",
        "Full text finds other tenants' mail.",
        OWN_FINDS,
        edit=(
            NO_RULE,
            (
                SEARCH,
                " WHERE m.tenant_id = $1 AND m.search @@",
                f" WHERE {ANY_TENANT} AND m.search @@",
            ),
        ),
    ),
    mutant(
        "search-finds-what-concerns-nobody",
        "Full text finds colleagues' mail that concerns no entity.",
        UNLINKED,
        OWN_FINDS,
        edit=(SEARCH, "(m.activity_id IS NOT NULL OR m.connection_id", "(true OR m.connection_id"),
    ),
    mutant(
        "search-tells-of-withheld-words",
        "Full text finds mail by words that the caller may not see.",
        f"{SEEN}::test_a_search",
        edit=(
            SEARCH,
            "                     WHERE c.in_full AND ($3::uuid",
            "                     WHERE ($3::uuid",
        ),
    ),
    mutant(
        "filter-finds-every-tenants-mail",
        "A search without text finds other tenants' mail.",
        OWN_FINDS,
        edit=(NO_RULE, (SEARCH, OWN_ARM, ANY_ARM)),
    ),
    mutant(
        "filter-tells-of-withheld-labels",
        "A search without text finds mail by labels and attachments the caller may not see.",
        f"{SEEN}::test_a_search",
        edit=(SEARCH, "\n WHERE c.in_full AND ($3::uuid", "\n WHERE ($3::uuid"),
    ),
    mutant(
        "threads-of-every-tenant",
        "A list of threads shows other tenants' mail.",
        OWN_THREADS,
        edit=(NO_RULE, (THREADS, OWN_ARM, ANY_ARM)),
    ),
    mutant(
        "threads-that-concern-nobody",
        "A list of threads shows colleagues' mail that concerns no entity.",
        f"{SEEN}::test_a_list_of_threads",
        edit=(THREADS, OTHERS_ARM, ANY_OTHERS),
    ),
    mutant(
        "thread-of-any-tenant",
        "A thread is open to whoever knows the connection's id.",
        OWN_THREADS,
        edit=(
            NO_RULE,
            (
                THREADS,
                " WHERE m.tenant_id = $1 AND m.connection_id = $2 AND m.thread_id = $3",
                f" WHERE {ANY_TENANT} AND m.connection_id = $2 AND m.thread_id = $3",
            ),
        ),
    ),
    mutant(
        "mailbox-of-any-tenant",
        "A mailbox's settings and labels are open to whoever knows the connection's id.",
        OWN_LABELS,
        edit=(
            MAILBOXES,
            "{select} WHERE tenant_id = $1 AND connection_id = $2",
            f"{{select}} WHERE {ANY_TENANT} AND connection_id = $2",
        ),
    ),
    mutant(
        "mailbox-of-any-user",
        "A mailbox's settings and labels are open to colleagues.",
        f"{SEEN}::test_a_mailbox_itself_stays_its_owners",
        edit=(
            MAILBOXES,
            "found.purge is not Purge.NONE or user_id not in (None, found.user_id):",
            "found.purge is not Purge.NONE:",
        ),
    ),
    mutant(
        "colleagues-mail-changed",
        "Whoever sees a colleague's message changes its labels.",
        f"{SEEN}::test_only_the_owner_changes_labels",
        edit=(
            "services/mail/web/label_changes.py",
            "    if not row.own:\n",
            "    if not row.id:\n",
        ),
    ),
    mutant(
        "activities-of-every-tenant",
        "The activities of an entity include those of another tenant's entity of the same name.",
        OWN_ACTIVITIES,
        edit=(
            NO_RULE,
            (
                ACTIVITIES,
                " WHERE l.tenant_id = $1 AND l.entity_type = $2 AND l.entity_id = $3",
                f" WHERE {ANY_TENANT} AND l.entity_type = $2 AND l.entity_id = $3",
            ),
            (
                ACTIVITIES,
                "JOIN messages m ON m.tenant_id = $1 AND m.activity_id = page.activity_id",
                f"JOIN messages m ON {ANY_TENANT} AND m.activity_id = page.activity_id",
            ),
        ),
    ),
    mutant(
        "connections-of-every-tenant",
        "A list of connections shows other tenants'.",
        f"{API}::test_a_list_holds_only_what_is_the_callers",
        edit=(CONNECTIONS, " WHERE c.tenant_id = $1\n", f" WHERE {ANY_TENANT}\n"),
    ),
    mutant(
        "connection-of-any-tenant",
        "A connection is shown to whoever knows its id.",
        OWN_CONNECTIONS,
        edit=(
            CONNECTIONS,
            "if found is None or found.tenant_id != tenant_id or user_id not in",
            "if found is None or not tenant_id or user_id not in",
        ),
    ),
    mutant(
        "connection-of-any-user",
        "A connection is shown to colleagues.",
        OWN_CONNECTIONS,
        edit=(
            CONNECTIONS,
            "found.tenant_id != tenant_id or user_id not in (None, found.user_id):",
            "found.tenant_id != tenant_id:",
        ),
    ),
)
