#!/usr/bin/env bash
# Installs what Duecall needs on Debian 12 or later: Debian packages and a virtual environment.
# Usage: prepare.sh VENV
set -euo pipefail
venv=$1

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# ---- a Python: 3.10-3.12 where there is one (the pocket switch's PJSIP has wheels for these)
find_python() {
    python=
    for name in ${PYTHON:-} python3.12 python3.11 python3.10 python3; do
        if command -v "$name" >/dev/null &&
            "$name" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (4,))' 2>/dev/null
        then
            python=$(command -v "$name")
            return
        fi
    done
}
find_python

# ---- Debian packages
missing=()
command -v sipp >/dev/null || missing+=(sip-tester)
command -v espeak-ng >/dev/null || missing+=(espeak-ng)
if [ -z "$python" ]; then missing+=(python3 python3-venv)
elif ! "$python" -c 'import ensurepip' 2>/dev/null; then missing+=(python3-venv); fi
if [ ${#missing[@]} -gt 0 ]; then
    say "Debian packages to install: ${missing[*]}"
    if [ "$(id -u)" = 0 ]; then as=(); elif sudo -n true 2>/dev/null; then as=(sudo -n); else
        fail "run as root, then again here: apt-get install -y ${missing[*]}"
    fi
    command -v apt-get >/dev/null || fail "no apt-get here; install: ${missing[*]}"
    "${as[@]}" apt-get update -qq
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    find_python
fi
[ -n "$python" ] || fail "Python 3.10 or later is needed, and Debian's python3 here is older"

# ---- PostgreSQL, for the tests on it alone; without it they are skipped, and say so
if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && ! command -v initdb >/dev/null; then
    if [ "$(id -u)" = 0 ]; then as=(); else as=(sudo -n); fi
    say "Debian package to install, for tests: postgresql (its own cluster is not started)"
    if ! "${as[@]}" env DEBIAN_FRONTEND=noninteractive sh -c '
        apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql-common >/dev/null &&
        sed -i "s/^#*create_main_cluster.*/create_main_cluster = false/" \
            /etc/postgresql-common/createcluster.conf &&
        apt-get install -y -qq --no-install-recommends postgresql >/dev/null' 2>/dev/null; then
        say "Note: no PostgreSQL server here; the tests on it are skipped (apt-get install postgresql)"
    fi
fi

# ---- flite, a voice for the tests of recognisers alone; without it they are skipped, and say so
if ! command -v flite >/dev/null; then
    if [ "$(id -u)" = 0 ]; then as=(); else as=(sudo -n); fi
    say "Debian package to install, for tests: flite"
    if ! "${as[@]}" env DEBIAN_FRONTEND=noninteractive sh -c '
        apt-get update -qq && apt-get install -y -qq --no-install-recommends flite >/dev/null' 2>/dev/null
    then
        say "Note: no flite here; the tests of recognisers are skipped (apt-get install flite)"
    fi
fi

# ---- the virtual environment
say "Virtual environment: $venv ($("$python" --version))"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
extras=test,postgres
if "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; then
    extras=test,postgres,pocket
else
    say "Note: the pocket switch needs CPython 3.10-3.12 (PJSIP has no wheel for this one)."
    say "Set PYTHON=python3.12 if there is one, or use FreeSWITCH: docs/freeswitch.md"
fi
pip_install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --use-pep517 "$@"
}
# With the recogniser of spoken answers (30 MB) where it has a wheel: nothing is compiled for it.
if ! pip_install --only-binary pocketsphinx -e ".[$extras,recognition]" 2>/dev/null; then
    pip_install -e ".[$extras]"
    say "Note: no pocketsphinx for this machine; the tests of spoken answers are skipped"
fi
