#!/bin/sh
# Sees to the programs that tests run against: installs them where we are root on Debian
# or Ubuntu, else names what is missing.  With `bench`, also what measurements need;
# with `image`, also what builds and runs the container image.
set -eu
PATH=$PATH:/usr/sbin:/sbin

missing=
need() { # package, and a command or file that it brings
    command -v "$2" >/dev/null || [ -e "$2" ] || missing="$missing $1"
}
need nginx-light nginx
need libnginx-mod-http-js /usr/lib/nginx/modules/ngx_http_js_module.so
need haproxy haproxy
need caddy caddy
need slowhttptest slowhttptest
need curl curl
need openssl openssl
need git git
need systemd systemd-analyze
need apache2 apache2
need libapache2-mod-oauth2 /usr/lib/apache2/modules/mod_oauth2.so
need libapache2-mod-auth-pubtkt /usr/lib/apache2/modules/mod_auth_pubtkt.so
need memcached memcached
need slapd slapd
need redis-server redis-server
need glewlwyd glewlwyd
need chromium chromium
need fonts-dejavu-core /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
need gsoap soapcpp2
need libgsoap-dev /usr/include/stdsoap2.h
need libnet-openid-server-perl /usr/share/perl5/Net/OpenID/Server.pm
need gcc cc
need libc6-dev /usr/include/stdio.h
need libssl-dev /usr/include/openssl/ssl.h
need zlib1g-dev /usr/include/zlib.h
# What is compiled is compiled for the Python that runs the tests.
headers=$("${PYTHON:-python3}" -c \
    'import sysconfig; print(sysconfig.get_path("include"))' 2>/dev/null) || headers=
[ -z "$headers" ] || need python3-dev "$headers/Python.h"
if [ "${1-}" = bench ]; then
    need libapache2-mod-auth-openidc /usr/lib/apache2/modules/mod_auth_openidc.so
    need wrk wrk
fi
if [ "${1-}" = image ]; then
    need podman podman
    need crun crun
    need mmdebstrap mmdebstrap
fi
# Its package conflicts with libapache2-mod-auth-pubtkt, so it is only unpacked.
beside=
unpacked=/usr/local/lib/libapache2-mod-auth-tkt
[ -e $unpacked/usr/lib/apache2/modules/mod_auth_tkt.so ] || beside=libapache2-mod-auth-tkt
[ -n "$missing$beside" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    [ -z "$missing" ] ||
        echo "make: missing programs; on Debian and Ubuntu: apt-get install$missing" >&2
    [ -z "$beside" ] ||
        echo "make: missing in $unpacked: what dpkg -x gives of Debian's $beside" >&2
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
case $missing in
*glewlwyd*) # without a database of its own: tests make theirs
    missing="$missing dbconfig-no-thanks"
    echo 'glewlwyd glewlwyd/config_type select No configuration' | debconf-set-selections
    ;;
esac
# shellcheck disable=SC2086 # a list of words
{
    apt-get update -q
    [ -z "$missing" ] || apt-get install -q -y --no-install-recommends $missing
} >&2 </dev/null
if [ -n "$beside" ]; then
    loaded=$(mktemp -d)
    (cd "$loaded" && apt-get download -q "$beside" && dpkg -x ./*.deb $unpacked) >&2
    rm -r "$loaded"
fi
