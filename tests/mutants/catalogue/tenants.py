"""Whose is whose: each filter on tenant or user, left out."""

from tests.mutants.mutant import mutant

MESSAGES = "services/mail/store/reading.py"
SEARCH = "services/mail/store/search.py"
THREADS = "services/mail/store/threads.py"
LINKS = "services/mail/store/links.py"
MAILBOXES = "services/mail/store/connections.py"
CONNECTIONS = "services/auth/store/connections.py"

READING = "tests/integration/mail/test_api.py"
SEARCHES = "tests/integration/mail/test_search.py"
THREADED = "tests/integration/mail/test_threads.py"
ACTIVITIES = "tests/integration/mail/test_activities.py"
API = "tests/integration/auth/test_connections_api.py"

OWN_MAIL = f"{READING}::test_people_read_only_their_own_mail"
OWN_THREADS = f"{THREADED}::test_a_thread_needs_its_connection_and_its_owner"
OWN_FINDS = f"{SEARCHES}::test_people_find_only_their_own_mail"
OWN_ACTIVITIES = f"{ACTIVITIES}::test_users_see_their_own_mailboxes_and_the_crm_all_of_its_tenant"
OWN_CONNECTIONS = f"{API}::test_everybody_sees_what_is_theirs_and_404_for_the_rest"

ANY_TENANT = "$1::text IS NOT NULL"
OF_TENANT_AND_USER = (
    " WHERE c.tenant_id = $1 AND ($2::text IS NULL OR c.user_id = $2) AND c.purge = 'none'\n"
)
OF_USER = OF_TENANT_AND_USER.replace("c.tenant_id = $1", ANY_TENANT)
OF_TENANT = OF_TENANT_AND_USER.replace("c.user_id = $2", "$2 <> ''")

MUTANTS = (
    mutant(
        "messages-of-every-tenant",
        "A list of messages shows other tenants' mail.",
        OWN_MAIL,
        edit=(MESSAGES, OF_TENANT_AND_USER, OF_USER),
    ),
    mutant(
        "messages-of-every-user",
        "A list of messages shows colleagues' mail.",
        OWN_MAIL,
        edit=(MESSAGES, OF_TENANT_AND_USER, OF_TENANT),
    ),
    mutant(
        "message-of-any-tenant",
        "A message is shown to whoever knows its id.",
        OWN_MAIL,
        edit=(
            MESSAGES,
            " WHERE m.tenant_id = $1 AND m.id = $2 AND",
            f" WHERE {ANY_TENANT} AND m.id = $2 AND",
        ),
    ),
    mutant(
        "message-of-any-user",
        "A message is shown to colleagues.",
        OWN_MAIL,
        edit=(
            MESSAGES,
            """\
m.id = $2 AND m.deleted_at IS NULL AND NOT m.traced
   AND c.purge = 'none' AND ($3::text IS NULL OR c.user_id = $3)""",
            """\
m.id = $2 AND m.deleted_at IS NULL AND NOT m.traced
   AND c.purge = 'none' AND ($3::text IS NULL OR $3 <> '')""",
        ),
    ),
    mutant(
        "messages-of-every-tenants-entity",
        "A list by entity shows the mail of another tenant's entity of the same name.",
        OWN_MAIL,
        edit=(
            MESSAGES,
            " WHERE l.tenant_id = $1 AND l.entity_type = $11",
            f" WHERE {ANY_TENANT} AND l.entity_type = $11",
        ),
    ),
    mutant(
        "search-finds-every-tenants-mail",
        "Full text finds other tenants' mail.",
        OWN_FINDS,
        edit=(
            (
                SEARCH,
                " WHERE m.tenant_id = $1 AND m.search @@",
                f" WHERE {ANY_TENANT} AND m.search @@",
            ),
            (
                SEARCH,
                "             WHERE c.tenant_id = $1 AND ($2",
                f"             WHERE {ANY_TENANT} AND ($2",
            ),
        ),
    ),
    mutant(
        "filter-finds-every-tenants-mail",
        "A search without text finds other tenants' mail.",
        OWN_FINDS,
        edit=(SEARCH, f"\n{OF_TENANT_AND_USER}", f"\n{OF_USER}"),
    ),
    mutant(
        "threads-of-every-tenant",
        "A list of threads shows other tenants' mail.",
        OWN_THREADS,
        edit=(
            THREADS,
            "         WHERE c.tenant_id = $1 AND ($2::text IS NULL OR c.user_id = $2)",
            f"         WHERE {ANY_TENANT} AND ($2::text IS NULL OR c.user_id = $2)",
        ),
    ),
    mutant(
        "threads-of-every-user",
        "A list of threads shows colleagues' mail.",
        OWN_THREADS,
        edit=(
            THREADS,
            "         WHERE c.tenant_id = $1 AND ($2::text IS NULL OR c.user_id = $2)",
            "         WHERE c.tenant_id = $1 AND ($2::text IS NULL OR $2 <> '')",
        ),
    ),
    mutant(
        "mailbox-of-any-tenant",
        "A thread, or a mailbox's settings, are open to whoever knows the connection's id.",
        OWN_THREADS,
        edit=(
            (
                MAILBOXES,
                """\
 WHERE tenant_id = $1 AND connection_id = $2
\"\"\"


async def find_connection(""",
                f"""\
 WHERE {ANY_TENANT} AND connection_id = $2
\"\"\"


async def find_connection(""",
            ),
            (
                THREADS,
                " WHERE m.tenant_id = $1 AND m.connection_id = $2 AND m.thread_id = $3",
                f" WHERE {ANY_TENANT} AND m.connection_id = $2 AND m.thread_id = $3",
            ),
        ),
    ),
    mutant(
        "mailbox-of-any-user",
        "A thread, or a mailbox's settings, are open to colleagues.",
        OWN_THREADS,
        edit=(
            MAILBOXES,
            "found.purge is not Purge.NONE or user_id not in (None, found.user_id):",
            "found.purge is not Purge.NONE:",
        ),
    ),
    mutant(
        "activities-of-every-tenant",
        "The activities of an entity include those of another tenant's entity of the same name.",
        OWN_ACTIVITIES,
        edit=(
            LINKS,
            " WHERE l.tenant_id = $1 AND l.entity_type = $2 AND l.entity_id = $3\n   AND m.deleted",
            f" WHERE {ANY_TENANT} AND l.entity_type = $2 AND l.entity_id = $3\n   AND m.deleted",
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
