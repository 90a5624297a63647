# shellcheck shell=bash disable=SC2154
#
# A part of tools/debian-check: a shop that sells with the package of a former
# version is upgraded, and none of its orders is lost.  Payer is the simulator
# of first-purchase.sh, and has to be running.

# The last release; without one, the last commit with another format of the
# store than today's.
former_commit() {
    local tag format changed

    if tag=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 'HEAD^' \
        2>/dev/null)
    then
        git rev-parse "$tag^{commit}"
        return
    fi

    format=$(grep 'define NGX_HTTP_PAYER_LMDB_FORMAT ' \
        ngx_http_payer_module/store/ngx_http_payer_store_lmdb.h)
    changed=$(git log --format=%H -S"$format" | tail -n 1)
    git rev-parse "$changed^"
}


# Its package, built once.
make_former() {
    local src=$dir/former/src revision version

    if [ -n "${DEBIAN_FORMER:-}" ]; then
        revision=$(git rev-parse "$DEBIAN_FORMER^{commit}")
    elif ! revision=$(former_commit 2>/dev/null); then
        die "there is no history here that has a former version;" \
            "run it in a full clone of the repository"
    fi

    [ "$revision" != "$(cat "$dir/former/made" 2>/dev/null)" ] || return 0

    rm -rf "$dir/former"
    mkdir -p "$src"
    git archive "$revision" | tar -x -C "$src"
    version=$(sed -n 's/.*NGX_HTTP_PAYER_VERSION *"\(.*\)"/\1/p' \
        "$src/ngx_http_payer_module/ngx_http_payer_module.h")

    (cd "$src" && DEB_VERSION=$version SOURCE_DATE_EPOCH=$(git log -1 \
        --format=%ct "$revision") tools/deb) >"$dir/former.log" 2>&1 \
        || die "the package of $revision could not be built:" \
            "see $dir/former.log"

    echo "$revision" >"$dir/former/made"
}


# What both versions understand.
former_conf() {
    cat <<'END'
payer_zone  payer 8m;
payer_store lmdb:/var/lib/payer;

upstream payer { server stage-b2b.payer.se:443; keepalive 16; }

server {
    listen 443 ssl;
    server_name         shop.example;
    ssl_certificate     /etc/nginx/shop.pem;
    ssl_certificate_key /etc/nginx/shop.key;

    payer_api                /_payer;
    payer_client_id          4711;
    payer_client_secret_file /etc/nginx/payer.secret;

    location /_payer/ {
        internal;
        include    payer_api.conf;
        proxy_pass https://payer/;
    }

    location = /buy {
        payer_checkout;
        payer_reference      $arg_order public;
        payer_amount         10000;
        payer_currency       SEK;
        payer_return_success /thanks?order=$payer_reference;
        payer_return_fail    /not-paid;
        payer_return_back    /not-paid;
    }

    location = /thanks {
        payer_verify        $arg_order;
        payer_verify_amount 10000 SEK;
        try_files           /dev/null @thanks;
    }

    location @thanks {
        payer_verify off;
        return 200 "$payer_reference is paid: $payer_status\n";
    }

    location = /not-paid     { return 402 "Nothing was paid.\n"; }
    location = /payer/capture { payer_capture; payer_allow 127.0.0.1; }
    location = /payer/refund  { payer_refund;  payer_allow 127.0.0.1; }
}
END
}


# answers STATUS PATTERN PATH [CURL-OPTION...]
answers() {
    local wanted=$1 pattern=$2 said
    shift 2

    said=$(ask "$@")
    printf '%s\n' "$said"
    [ "${said%% *}" = "$wanted" ] && grep -q -- "$pattern" <<<"$said"
}


# sold ORDER: a link, and the payment
sold() {
    local widget

    widget=$(ask "/buy?order=$1" | sed -n '1s/^303 //p')
    echo "$widget"
    [ -n "$widget" ] || return 1
    ask "$widget" -d number=4111111111111111 -d expiry=12/39 -d cvc=123
    answers 200 "$1 is paid" "/thanks?order=$1"
}


# The versions of the package before and after.
newer() {
    local version

    version=$(inside dpkg-query -W -f '${Version}' "$name")
    echo "$version"
    [ "$version" != "$1" ] && ! grep -q '^ERR' <<<"$version"
}


former_upgrade() {
    local before link

    inside dpkg --purge "$name" nginx nginx-common >"$dir/said" 2>&1 \
        || die "nginx could not be taken out"
    rm -rf "$root/etc/nginx" "$root/var/lib/payer" "$root/root/former"
    mkdir -p "$root/root/former"
    cp "$dir"/former/src/build/deb/"$name"_*.deb "$root/root/former/"

    # the image left no lists
    inside apt-get -q update >"$dir/said" 2>&1 || die "apt reads no mirror"

    ok "former version: apt installs it" \
        inside sh -c 'apt-get install -y nginx /root/former/*.deb'
    before=$(inside dpkg-query -W -f '${Version}' "$name")
    make_files
    inside install -d -o www-data -g www-data -m 700 /var/lib/payer
    former_conf >"$root/etc/nginx/conf.d/payer.conf"

    ok "former version: nginx starts" start
    ok "former version: an order is sold" sold 1001
    ok "former version: and one captured" sold 1002
    ok "former version: the capture" answers 200 referenceId /payer/capture \
        -H 'Idempotency-Key: capture-1002' -d reference=1002
    link=$(ask '/buy?order=1003' | sed -n '1s/^303 //p')

    ok "the upgrade says that a restart loads the new module" \
        says 'restart nginx' install_package
    ok "to another version" newer "$before"
    ok "until then, the old module sells" sold 1004
    stop
    ok "the new module starts" start
    ok "an order of the former version is paid" \
        answers 200 '1001 is paid' '/thanks?order=1001'
    ok "one that was sold in between, too" \
        answers 200 '1004 is paid' '/thanks?order=1004'
    ok "one that is not paid keeps its link" \
        answers 303 "${link:-no link}" '/buy?order=1003'
    ok "a capture that is repeated is not made again" answers 200 referenceId \
        /payer/capture -H 'Idempotency-Key: capture-1002' -d reference=1002
    ok "what was captured is refunded" answers 200 referenceId /payer/refund \
        -H 'Idempotency-Key: refund-1002' -d reference=1002 -d amount=10000
    stop
    ok "the tool is installed" inside sh -c 'dpkg -i /root/payer-store_*.deb'
    ok "and finds no fault in the store" says '^[0-9]+ entries, 0 faults$' \
        inside payer-store check lmdb:/var/lib/payer
}
