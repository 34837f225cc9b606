"""`python -m services.mail [--roles web,worker,relay,consumer]`; `... migrate`; `... restored`."""

from libs.common.service import main
from services.mail.app import RESTORABLE, SERVICE, create_app, migrations
from services.mail.settings import from_environment

if __name__ == "__main__":
    main(
        SERVICE,
        settings=from_environment,
        create_app=create_app,
        migrations=migrations(),
        restorable=RESTORABLE,
    )
