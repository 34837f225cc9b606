"""What the machine must have: a Debian, root, and packages that are installed when missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

APT = ("apt-get", "-y", "-q", "--no-install-recommends")
INSTALL_TIMEOUT_S = 900
CANNOT = 3
"""Exit status where containers cannot be had: neither success nor a defect."""


def say(text: str) -> None:
    """Tell the person who waits."""
    sys.stdout.write(f"containers: {text}\n")
    sys.stdout.flush()


def give_up(why: str) -> NoReturn:
    """End loudly: nothing was proved.

    Raises:
        SystemExit: with status CANNOT.
    """
    line = "!" * 78
    sys.stderr.write(f"{line}\ncontainers: NOTHING WAS PROVED. {why}\n{line}\n")
    raise SystemExit(CANNOT)


def run(
    command: Sequence[str | Path],
    *,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 600,
    check: bool = True,
) -> str:
    """Return what a command prints.

    Raises:
        RuntimeError: it failed; the message ends with what it said.
    """
    done = subprocess.run(  # noqa: S603 - our own commands
        [str(word) for word in command],
        env={**os.environ, **(env or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if check and done.returncode:
        said = f"{done.stdout[-3000:]}{done.stderr[-6000:]}"
        raise RuntimeError(f"`{' '.join(map(str, command))}` failed ({done.returncode}):\n{said}")
    return done.stdout


def require(*packages: str) -> None:
    """Install Debian packages that are missing.

    Raises:
        SystemExit: they cannot be installed here.
    """
    if os.geteuid() != 0:
        give_up("It needs root, to run an engine.")
    if shutil.which("apt-get") is None:
        give_up("It needs Debian, to install an engine.")
    known = run(["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n"])
    there = {line.split()[0] for line in known.splitlines() if line.endswith(" installed")}
    missing = [package for package in packages if package not in there]
    if not missing:
        return
    say(f"installing {' '.join(missing)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    run(["apt-get", "update", "-q"], timeout_s=INSTALL_TIMEOUT_S)
    run([*APT, "install", *missing], env=quiet, timeout_s=INSTALL_TIMEOUT_S)


def mirror() -> str:
    """Return where this Debian gets its packages from.

    Raises:
        SystemExit: it does not say so.
    """
    folder = Path("/etc/apt")
    for file in sorted((folder / "sources.list.d").glob("*.sources")):
        for stanza in file.read_text().split("\n\n"):
            fields = dict(
                line.split(": ", 1) for line in stanza.splitlines() if not line.startswith("#")
            )
            if "main" in fields.get("Components", "") and "-security" not in fields["Suites"]:
                return fields["URIs"].split()[0]
    listed = folder / "sources.list"
    for line in listed.read_text().splitlines() if listed.exists() else ():
        words = [word for word in line.split() if not word.startswith("[")]
        if words[:1] == ["deb"] and "main" in words[3:]:
            return words[1]
    give_up("It cannot tell where this Debian gets its packages from.")


def apt_root(folder: Path, suite: str) -> dict[str, str]:
    """Return the environment in which apt knows the packages of `suite` and nothing else."""
    for name in ("lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    status = folder / "status"
    status.touch()
    source = folder / "etc" / "debian.sources"
    source.write_text(source_of(suite))
    config = folder / "apt.conf"
    said = {
        "Dir::State::Lists": folder / "lists",
        "Dir::State::Status": status,
        "Dir::Cache": folder / "cache",
        "Dir::Etc::SourceList": os.devnull,
        "Dir::Etc::SourceParts": folder / "etc",
        "Dir::Etc::PreferencesParts": folder / "etc/preferences.d",
        "APT::Sandbox::User": "root",
    }
    config.write_text("".join(f'{name} "{value}";\n' for name, value in said.items()))
    env = {"APT_CONFIG": str(config)}
    run(["apt-get", "update", "-q"], env=env, timeout_s=INSTALL_TIMEOUT_S)
    return env


def source_of(suite: str) -> str:
    """Return the apt source of a suite of Debian's, from this machine's mirror."""
    return (
        f"Types: deb\nURIs: {mirror()}\nSuites: {suite}\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
