"""`python -m services.auth [--roles web,worker,relay]`: serve; `... migrate`; `... restored`."""

from libs.common.service import main
from services.auth.app import RESTORABLE, SERVICE, create_app, migrations
from services.auth.settings import from_environment

if __name__ == "__main__":
    main(
        SERVICE,
        settings=from_environment,
        create_app=create_app,
        migrations=migrations(),
        restorable=RESTORABLE,
    )
