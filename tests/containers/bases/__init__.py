"""Stand-ins for the images we build on, where no registry is reached.

They are Debian's own packages under the official names: not the official images, but the same
programs, started in the same way as far as docker-compose.yml uses it.
"""

import shutil
from pathlib import Path

from tests.containers import host

HERE = Path(__file__).parent
IMAGES = {
    "python:3.11-slim-bookworm": "python",
    "postgres:17-bookworm": "postgres",
    "rabbitmq:4.0-management": "rabbitmq",
    "haproxy:3.0": "haproxy",
}
SUITES = ("bookworm", "trixie")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
BUILD_S = 900


def provide(env: dict[str, str], folder: Path) -> bool:
    """Make sure the base images are there; return whether they are stand-ins."""
    there = host.run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"], env=env).split()
    missing = [image for image in IMAGES if image not in there]
    missing = [image for image in missing if not _pulled(env, image)]
    if not missing:
        return any(name.startswith("causeway-standin") for name in there)
    host.say("no registry is reached: stand-ins for " + ", ".join(missing))
    host.require("debootstrap")
    for suite in SUITES:
        if f"causeway-standin:{suite}" not in there:
            _debian(env, folder, suite)
    for image in missing:
        host.run(
            [
                "docker",
                "build",
                "--tag",
                image,
                "--file",
                HERE / f"{IMAGES[image]}.Dockerfile",
                HERE,
            ],
            env=env,
            timeout_s=BUILD_S,
        )
    return True


def _pulled(env: dict[str, str], image: str) -> bool:
    try:
        host.run(["docker", "pull", "--quiet", image], env=env, timeout_s=BUILD_S)
    except RuntimeError:
        return False
    return True


def _debian(env: dict[str, str], folder: Path, suite: str) -> None:
    root = folder / suite
    shutil.rmtree(root, ignore_errors=True)
    include = "--include=ca-certificates"
    host.run(
        ["debootstrap", "--variant=minbase", include, suite, root, host.mirror()],
        timeout_s=BUILD_S,
    )
    # Whatever this machine trusts, what is built on it has to trust too.
    shutil.copy2(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
    shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
    archive = folder / f"{suite}.tar"
    host.run(["tar", "--create", "--file", archive, "--directory", root, "."])
    host.run(
        [
            "docker",
            "import",
            f"--change=ENV SSL_CERT_FILE={CERTIFICATES} PIP_CERT={CERTIFICATES}",
            archive,
            f"causeway-standin:{suite}",
        ],
        env=env,
    )
    archive.unlink()
    shutil.rmtree(root)
