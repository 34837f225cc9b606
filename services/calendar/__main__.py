"""`python -m services.calendar [--roles web,worker]`, `... migrate`, `... restored`."""

from libs.common.service import main
from services.calendar.app import RESTORABLE, SERVICE, create_app, migrations
from services.calendar.settings import from_environment

if __name__ == "__main__":
    main(
        SERVICE,
        settings=from_environment,
        create_app=create_app,
        migrations=migrations(),
        restorable=RESTORABLE,
    )
