"""Checks the manifests: `python -m tests.kubernetes [--kept-base]` (`make k8s-check`).

Schemas, links, settings, routes and flows can be checked by anybody; that the pods run takes root,
podman and an image. Where that cannot be had, the rest is checked and the end says so, loudly.
"""

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.kubernetes.image import Unavailable, provide_image, provide_podman
from tests.kubernetes.podman import WANTED, configured

HERE = Path(__file__).parent


def main() -> int:
    """Return pytest's exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.kubernetes")
    parser.add_argument(
        "--kept-base", action="store_true", help="run pods only if a base image is there or pulled"
    )
    given = parser.parse_args()
    with TemporaryDirectory(prefix="causeway-podman-") as folder, configured(Path(folder)):
        missing = _provide(standin=not given.kept_base)
        status = int(pytest.main(["-q", "-p", "no:cacheprovider", str(HERE)]))
    if missing is not None:
        line = "!" * 78
        sys.stderr.write(f"{line}\nk8s-check: NO POD WAS RUN: {missing}\n{line}\n")
    return status


def _provide(*, standin: bool) -> str | None:
    """Make ready what running pods takes; return what is missing."""
    try:
        provide_podman()
        os.environ[WANTED] = provide_image(standin=standin)
    except Unavailable as exc:
        return str(exc)
    return None


if __name__ == "__main__":
    sys.exit(main())
