#!/bin/sh
# Sees to the programs that tests run against: installs them where we are root on Debian
# or Ubuntu, else names what is missing.
set -eu
PATH=$PATH:/usr/sbin:/sbin

missing=
for pair in nginx:nginx-light slowhttptest:slowhttptest curl:curl openssl:openssl git:git; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make test: missing programs; on Debian and Ubuntu: apt-get install$missing" >&2
    exit 1
fi

# Packages of servers start their service, which would take ports; this keeps them down.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
{
    apt-get update -q
    apt-get install -q -y --no-install-recommends $missing
} >&2 </dev/null
