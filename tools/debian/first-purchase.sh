# shellcheck shell=bash disable=SC2154
#
# A part of tools/debian-check: docs/getting-started.md on a Debian without
# nginx, from `apt install` to captured money, with the time that each step
# took, and docs/container.md.  Payer's test host is demo/simulator, with an address and a network of
# its own behind a virtual cable, as on port 443 nobody else can listen.

payer=10.99.0.2
limit=600


# What apt needs for the packages, as a mirror has it.
make_mirror() {
    mkdir -p "$root/root/mirror"
    find "$dir/debs" -name '*.deb' -exec cp -t "$root/root/mirror" {} +

    (cd "$root/root/mirror" && dpkg-scanpackages --multiversion . \
        >Packages 2>/dev/null)

    rm -f "$root"/etc/apt/sources.list.d/*
    echo 'deb [trusted=yes] file:/root/mirror ./' \
        >"$root/etc/apt/sources.list"
    inside apt-get -q update
}


start_payer() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
        -nodes -days 2 -subj /CN=stage-b2b.payer.se \
        -addext subjectAltName=DNS:stage-b2b.payer.se \
        -keyout "$dir/payer.key" -out "$dir/payer.pem" 2>/dev/null

    cp "$dir/payer.pem" "$root/usr/local/share/ca-certificates/payer.crt"
    sed -i "s/^127.0.0.1 .*/127.0.0.1 localhost\n$payer stage-b2b.payer.se/" \
        "$root/etc/hosts"

    unshare --net demo/simulator --with-parent --secret secret \
        --listen "https://0.0.0.0:443?cert=$dir/payer.pem&key=$dir/payer.key" \
        --public-url https://stage-b2b.payer.se >"$dir/payer.log" 2>&1 &
    local simulator=$!

    wait_until grep -q . "$dir/payer.log" || return 1

    ip link add payer0 type veth peer name payer1 netns "$simulator"
    ip addr add 10.99.0.1/24 dev payer0
    ip link set payer0 up
    nsenter --net --target "$simulator" ip addr add "$payer/24" dev payer1
    nsenter --net --target "$simulator" ip link set payer1 up
}


# ask PATH-OR-URL [CURL-OPTION...]: status, then Location, then the body
ask() {
    local url=$1
    shift

    case $url in
        /*) url=$site$url ;;
    esac

    curl -sS -k -m 20 -o "$dir/body" -w '%{http_code} %header{location}\n' \
        --resolve shop.example:443:127.0.0.1 \
        --resolve "stage-b2b.payer.se:443:$payer" "$@" "$url"
    cat "$dir/body"
}


# The configuration and the commands of the page.
of_page() {
    awk -v name="$1" 'index($0, "<!-- example: " name " -->") { found = 1; next }
        found && /^```/ { if (on) exit; on = 1; next }
        on' docs/getting-started.md
}


install_with_apt() {
    inside sh -c 'apt-get install -y /root/libnginx-mod-http-payer_*.deb'
}


configure_shop() {
    make_files
    of_page getting-started >"$root/etc/nginx/conf.d/payer.conf"
    inside update-ca-certificates >/dev/null 2>&1
    inside nginx -t && start
}


all_is_well() {
    local said

    said=$(bash -c "$(of_page first-doctor) -k -sS")
    printf '%s\n' "$said"
    grep -q '^ok  *token' <<<"$said" && ! grep -q '^fail' <<<"$said"
}


buy() {
    local said widget

    said=$(ask /buy)
    printf '%s\n' "$said"
    read -r code widget <<<"${said%%$'\n'*}"
    [ "$code" = 303 ] || return 1

    said=$(ask "$widget" -d number=4111111111111111 -d expiry=12/39 -d cvc=123)
    printf '%s\n' "$said"
    read -r code thanks <<<"${said%%$'\n'*}"
    echo "$thanks" >"$dir/thanks"

    said=$(ask "$thanks")
    printf '%s\n' "$said"
    grep -q '^200 ' <<<"$said" && grep -q 'is paid: AUTHORIZED' <<<"$said"
}


# The command of the page, in the chroot's network.
capture() {
    local order command said

    order=$(sed 's/.*order=//; s/&.*//' "$dir/thanks")
    command=$(of_page first-capture)

    said=$(bash -c "${command//1001/$order} -k -sS")
    printf '%s\n' "$said"
    grep -q referenceId <<<"$said"
}


# timed NAME COMMAND...
timed() {
    local what=$1 began
    shift

    began=$(date +%s%N)
    ok "first purchase: $what" "$@"
    printf '# %6d ms  %s\n' $((($(date +%s%N) - began) / 1000000)) "$what"
}


within_limit() { [ $((SECONDS - first_began)) -le "$limit" ]; }


first_purchase() {
    # a Debian that has never seen nginx
    inside dpkg --purge nginx nginx-common libcjson1 liblmdb0 \
        >"$dir/said" 2>&1 || die "nginx could not be taken out"
    rm -rf "$root/etc/nginx" "$root/var/lib/nginx"

    make_mirror >"$dir/said" 2>&1 || die "no mirror could be made"
    start_payer || die "the simulator did not start"

    first_began=$SECONDS

    timed "apt install" install_with_apt
    timed "configuration, nginx -t, start" configure_shop
    timed "payer_doctor finds no fault" all_is_well
    timed "a purchase, from /buy to the thank-you page" buy
    timed "the capture" capture
    ok "first purchase: all of it within ten minutes" within_limit

    stop
}


# docs/container.md: each COPY and RUN of its Dockerfile, the configuration
# with a certificate and a secret in place, then CMD and HEALTHCHECK.

dockerfile() {
    awk '/^<!-- example: dockerfile -->/ { found = 1; next }
        found && /^```/ { if (on) exit; on = 1; next }
        on' docs/container.md | sed -e :a -e '/\\$/N; s/\\\n */ /; ta'
}


image() {
    local line

    while IFS= read -r line; do
        case $line in
            'COPY build/deb/'*) cp build/deb/*.deb "$root/tmp/" ;;
            'COPY payer.conf '*) container_conf >"$root${line##* }" ;;
            'RUN '*) inside sh -c "${line#RUN }" || return 1 ;;
        esac
    done < <(dockerfile)
}


container_conf() {
    awk '/^<!-- example: container -->/ { found = 1; next }
        found && /^```/ { if (on) exit; on = 1; next }
        on' docs/container.md
}


container_runs() {
    local command

    command=$(dockerfile | sed -n 's/^CMD \[\(.*\)\]$/\1/p' | sed 's/", "/" "/g')
    eval "inside $command" >"$dir/container.log" 2>&1 &
    wait_until running
}


probe() { inside sh -c "$(dockerfile | sed -n 's/^HEALTHCHECK CMD //p')"; }

no_probe() { ! probe 2>/dev/null; }


container() {
    inside dpkg --purge "$name" nginx nginx-common libcjson1 liblmdb0 \
        >"$dir/said" 2>&1 || die "nginx could not be taken out"
    rm -rf "$root/etc/nginx" "$root/var/lib/nginx"
    echo '127.0.0.1 shop' >>"$root/etc/hosts"

    ok "container: the steps of the image" image

    make_files
    mkdir -p "$root/run/secrets"
    mv "$root"/etc/nginx/payer.secret "$root"/etc/nginx/shop.* \
        "$root/run/secrets/"

    ok "container: nginx runs in the foreground" container_runs
    ok "container: the probe finds it healthy" probe
    ok "container: the store is on the volume" inside test -s \
        /var/lib/payer/data.mdb
    stop
    ok "container: without nginx the probe fails" no_probe
}
