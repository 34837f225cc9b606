"""`python -m services.mail [--roles web,worker,relay,consumer]`; `... migrate`: only migrate."""

import argparse
import asyncio

from libs.common import log
from libs.common.migrate import migrate
from libs.common.settings import load_settings
from libs.common.web import ALL_ROLES, run
from services.mail.app import SERVICE, create_app, migrations
from services.mail.settings import MailSettings


def _roles(text: str) -> frozenset[str]:
    roles = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not roles or not roles <= ALL_ROLES:
        raise argparse.ArgumentTypeError(f"choose among {', '.join(sorted(ALL_ROLES))}")
    return roles


def _migrate(settings: MailSettings) -> None:
    log.configure(settings.log_format, settings.log_level, service=SERVICE, role="migrate")
    asyncio.run(migrate(settings.database_url, *migrations()))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m services.mail", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("serve", "migrate"), default="serve")
    parser.add_argument("--roles", type=_roles, default=ALL_ROLES, help="default: all")
    given = parser.parse_args()
    settings = load_settings(MailSettings)
    if given.command == "migrate":
        _migrate(settings)
    else:
        run(create_app(settings, roles=given.roles), settings)


if __name__ == "__main__":
    main()
