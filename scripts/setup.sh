#!/bin/sh
# setup.sh python LOCK   make .venv, install the pinned packages of LOCK, add .venv/bin/causeway
# setup.sh servers       make sure PostgreSQL and RabbitMQ binaries are there (nothing is started)
# Installs Debian packages with apt-get when it can (as root, or with sudo); else names them.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
oldest_postgres=15

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

can_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null 2>&1 || return 1
    sudo -n true 2>/dev/null || { [ -t 0 ] && [ -t 2 ]; } # with a terminal, sudo may ask
}

updated=
install() { # packages...
    can_install || return 1
    if [ -z "$updated" ]; then
        as_root apt-get update -q >&2 || return 1
        updated=yes
    fi
    say "installing $*"
    # RUNLEVEL=1 keeps System V start-up scripts from running on installation
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y -q --no-install-recommends "$@" >&2
}

# --- Python -----------------------------------------------------------------------------------

find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

make_environment() {
    # A broken or half-made environment is made again
    if .venv/bin/python -c 'import pip' 2>/dev/null; then return; fi
    python=$(find_python) || { install python3 && python=$(find_python); } ||
        fail "Python 3.11 or later is needed: install the package python3 (found: $(python3 --version 2>&1))"
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        install "python$version-venv" || install python3-venv ||
            fail "this Python cannot make environments: install the package python$version-venv"
    fi
    rm -rf .venv
    "$python" -m venv .venv
}

add_command() {
    # A .pth file, what pip would record, and a wrapper: the checkout itself runs, from any
    # folder; nothing is built, nothing more is downloaded
    .venv/bin/python - "$root" <<'PY'
import pathlib
import shutil
import sys
import sysconfig
import tomllib

root, site = pathlib.Path(sys.argv[1]), pathlib.Path(sysconfig.get_path("purelib"))
version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
for old in site.glob("causeway-*.dist-info"):
    shutil.rmtree(old)
info = site / f"causeway-{version}.dist-info"
info.mkdir()
(info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: causeway\nVersion: {version}\n")
(info / "INSTALLER").write_text("causeway-setup\n")
(info / "RECORD").write_text("")
(site / "causeway.pth").write_text(f"{root}\n")
PY
    cat >.venv/bin/causeway <<'SH'
#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/python" -P -m cli.main "$@"
SH
    chmod 755 .venv/bin/causeway
}

setup_python() { # lock
    make_environment
    say "installing the packages of $1"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes --requirement "$1"
    add_command
}

# --- Servers ----------------------------------------------------------------------------------

has_postgres() {
    for initdb in /usr/lib/postgresql/*/bin/initdb; do
        version=${initdb#/usr/lib/postgresql/}
        version=${version%%/*}
        [ -x "$initdb" ] && [ "$version" -ge "$oldest_postgres" ] 2>/dev/null && return 0
    done
    command -v initdb >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1
}

has_rabbitmq() {
    ls -d /usr/lib/rabbitmq/lib/rabbitmq_server-* >/dev/null 2>&1
}

install_postgres() {
    # The package would make and start a cluster of its own, which we neither need nor want
    settings=/etc/postgresql-common/createcluster.conf
    install postgresql-common || return 1
    if [ -f "$settings" ] && ! ls -d /etc/postgresql/*/* >/dev/null 2>&1; then
        as_root cp -p "$settings" "$settings.causeway"
        as_root sh -c "echo 'create_main_cluster = false' >>$settings"
        install postgresql && installed=0 || installed=1
        as_root mv "$settings.causeway" "$settings"
        return $installed
    fi
    install postgresql
}

install_rabbitmq() {
    units="rabbitmq-server.service epmd.service epmd.socket"
    if [ -d /run/systemd/system ]; then # keep the package from starting or enabling its server
        as_root systemctl mask --runtime --quiet $units || return 1
        install rabbitmq-server && installed=0 || installed=1
        as_root systemctl unmask --runtime --quiet $units || true
        as_root systemctl disable --quiet $units 2>/dev/null || true
        return $installed
    fi
    install rabbitmq-server
}

setup_servers() {
    missing=
    has_postgres || install_postgres || missing="$missing postgresql"
    has_rabbitmq || install_rabbitmq || missing="$missing rabbitmq-server"
    [ -z "$missing" ] || fail "cannot install these Debian packages, please do:$missing" \
        "(or point CAUSEWAY_DATABASE_ADMIN_URL and CAUSEWAY_AMQP_URL at existing servers)"
    has_postgres || fail "PostgreSQL $oldest_postgres or later is needed; this system offers an older one"
}

wanted_servers() {
    # Existing servers may be used instead; what they replace is not installed
    [ -n "${CAUSEWAY_DATABASE_ADMIN_URL:-}" ] && has_postgres() { true; }
    [ -n "${CAUSEWAY_AMQP_URL:-}" ] && has_rabbitmq() { true; }
    setup_servers
}

case ${1:-} in
python) setup_python "$2" ;;
servers) wanted_servers ;;
*) fail "unknown: ${1:-nothing}" ;;
esac
