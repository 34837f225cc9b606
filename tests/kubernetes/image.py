"""podman, and an image of this tree for it to run.

The image is built on the official Python image, or, where no registry is reached, on a stand-in
for it: a small Debian with Debian's own Python.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from cli.settings import PROJECT

PACKAGES = ("podman", "runc", "catatonit", "slirp4netns")
IMAGE = "localhost/causeway:latest"
BASE = "docker.io/library/python:3.11-slim-bookworm"
STANDIN = "localhost/causeway-standin-python:3.11"
SUITE = "bookworm"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PULL_S, INSTALL_S, BUILD_S = 120, 600, 900


class Unavailable(Exception):
    """Pods cannot be run here; the message says why."""


def provide_podman() -> None:
    """Make sure podman is there, with what it needs to run as we use it.

    Raises:
        Unavailable: it is not, and cannot be installed.
    """
    if os.geteuid() != 0:
        raise Unavailable("running pods takes root")
    if all(shutil.which(name) for name in ("podman", "runc", "slirp4netns")):
        return
    if shutil.which("apt-get") is None:
        raise Unavailable(f"install {', '.join(PACKAGES)}: this is no Debian")
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    _run(["apt-get", "update", "-q"], timeout_s=INSTALL_S)
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES]
    _run(install, env=quiet, timeout_s=INSTALL_S)


def provide_image(*, standin: bool) -> str:
    """Return an image of this tree, built now.

    Args:
        standin: make a base image too (some minutes) if there is none and none can be pulled.

    Raises:
        Unavailable: there is no base to build on, or it cannot be built.
    """
    base = _base(standin=standin)
    if base is None:
        raise Unavailable(
            f"there is no {BASE}, and none can be pulled (`make k8s-check` makes one)"
        )
    _run(
        [
            "podman",
            "build",
            "--format=docker",
            "--network=host",
            "--pull=never",
            f"--build-arg=PYTHON={base}",
            f"--tag={IMAGE}",
            str(PROJECT),
        ],
        timeout_s=BUILD_S,
    )
    return IMAGE


def _base(*, standin: bool) -> str | None:
    for image in (BASE, STANDIN):
        if _succeeds(["podman", "image", "exists", image]):
            return image
    if _succeeds(["podman", "pull", "--quiet", BASE]):
        return BASE
    return _make_standin() if standin else None


def _make_standin() -> str:
    if shutil.which("debootstrap") is None:
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "debootstrap"]
        _run(install, env={"DEBIAN_FRONTEND": "noninteractive"}, timeout_s=INSTALL_S)
    include = "--include=ca-certificates,python3,python3-venv,python3-pip"
    with TemporaryDirectory(prefix="causeway-standin-", dir="/var/tmp") as folder:
        root, archive = Path(folder) / "root", Path(folder) / "root.tar"
        _run(["debootstrap", "--variant=minbase", include, SUITE, str(root)], timeout_s=BUILD_S)
        # Whatever this machine trusts, what is built on it has to trust too.
        shutil.copy2(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
        _run(["tar", "--create", f"--file={archive}", f"--directory={root}", "."])
        trust = f"ENV SSL_CERT_FILE={CERTIFICATES} PIP_CERT={CERTIFICATES}"
        _run(["podman", "import", f"--change={trust}", str(archive), STANDIN])
    return STANDIN


def _succeeds(command: Sequence[str]) -> bool:
    try:
        _run(command, timeout_s=PULL_S)
    except Unavailable:
        return False
    return True


def _run(
    command: Sequence[str], *, env: dict[str, str] | None = None, timeout_s: float = INSTALL_S
) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise Unavailable(f"`{' '.join(command[:2])}`: {exc}") from exc
    if done.returncode:
        said = f"{done.stdout[-500:]}{done.stderr[-1500:]}".strip()
        raise Unavailable(f"`{' '.join(command[:2])}` failed:\n{said}")
