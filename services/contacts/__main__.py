"""`python -m services.contacts [--roles web,worker]`, `... migrate`, `... restored`."""

from libs.common.service import main
from services.contacts.app import RESTORABLE, SERVICE, create_app, migrations
from services.contacts.settings import from_environment

if __name__ == "__main__":
    main(
        SERVICE,
        settings=from_environment,
        create_app=create_app,
        migrations=migrations(),
        restorable=RESTORABLE,
    )
