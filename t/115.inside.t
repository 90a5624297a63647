# The clients of an operation location with "payer_allow internal":
# X-Accel-Redirect of the shop, and subrequests, but no client whose request
# was rewritten.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

# The shop: what it says leads nginx to the operation.
our $SHOP = free_port();

sub inside {
    return <<"END";
    location = /payment { payer_payment; payer_allow internal; }
    location /shop/ { proxy_pass http://127.0.0.1:$SHOP/; }
END
}

sub shop {
    return <<"END";
    server {
        listen 127.0.0.1:$SHOP;
        location = /look   { add_header X-Accel-Redirect /payment?\$args; return 200; }
        location = /broken { add_header X-Accel-Redirect /payment?\$args always; return 500; }
    }
END
}

run_payer_tests();

__DATA__

=== TEST 1: payer_allow internal does not allow a rewritten request
--- config perl
'rewrite ^/look$ /payment;' . checkout() . inside()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my $r = get('/look?reference=1');
is($r->status, 403, 'a client gets nothing');
unlike($r->body, qr/INITIATED/, 'and learns nothing');
is(get('/payment?reference=1')->status, 403, 'nor does he without the rewrite');
--- calls
token: 1
create: 1



=== TEST 2: payer_allow internal does not allow a request redirected by error_page
--- config perl
'location = /gone { error_page 404 = /payment; return 404; }' . checkout() . inside()
--- request
GET /gone?reference=1
--- error_code: 403
--- calls: none



=== TEST 3: payer_allow internal does not allow a request redirected by try_files
--- config perl
'location = /try { try_files /no-such-file /payment?$args; }' . checkout() . inside()
--- request
GET /try?reference=1
--- error_code: 403
--- calls: none



=== TEST 4: payer_allow internal does not allow a request with an ignored X-Accel-Redirect
--- http_config perl: shop()
--- config perl
inside() . checkout() . <<"END"
    location = /ignored {
        proxy_ignore_headers   X-Accel-Redirect;
        proxy_intercept_errors on;
        error_page 500         = /payment?\$args;
        proxy_pass             http://127.0.0.1:$SHOP/broken;
    }
END
--- request
GET /ignored?reference=1
--- error_code: 403
--- calls: none



=== TEST 5: payer_allow internal allows an X-Accel-Redirect of the shop
--- http_config perl: shop()
--- config perl: inside() . checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my $r = get('/shop/look?reference=1');
is($r->status, 200, 'the shop gets the payment');
like($r->body, qr/INITIATED/, 'as Payer has it');



=== TEST 6: payer_allow internal allows subrequests
--- config perl
inside() . checkout() . <<'END'
    location = /page {
        ssi on;
        ssi_types *;
        default_type text/html;
        return 200 'so: <!--# include virtual="/payment?reference=$arg_order" -->.';
    }
END
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my $r = get('/page?order=1');
is($r->status, 200, 'the page is there');
like($r->body, qr/^so: \{.*INITIATED.*\}\.$/s, 'with the payment in it');
my @page = together(map { [ GET => '/page?order=1' ] } 1 .. 8);
is(scalar(grep { $_->body =~ /INITIATED/ } @page), 8, 'also eight at a time');



=== TEST 7: a subrequest is allowed by the address of the client
--- config perl
checkout() . <<'END'
    location = /payment { payer_payment; payer_allow 127.0.0.1; }
    location = /page {
        ssi on;
        ssi_types *;
        return 200 '<!--# include virtual="/payment?reference=1" -->';
    }
END
--- request
GET /checkout?order=1
--- error_code: 303
--- after
like(get('/page')->body, qr/INITIATED/, 'the payment is in the page');



=== TEST 8: a subrequest from an address that is not listed is rejected
--- config
    location = /payment { payer_payment; payer_allow 192.0.2.1; }
    location = /page {
        ssi on;
        ssi_types *;
        return 200 'so: <!--# include virtual="/payment?reference=1" -->.';
    }
--- request
GET /page
--- response_body_like: 403|so: \.
--- calls: none
--- error_log
access forbidden by "payer_allow"



=== TEST 9: a request that an allowed proxy passes on for another client logs a warning, once
--- config perl: operations()
--- request
GET /
--- then
my @passed_on = map { { $_ => '192.0.2.9' } } 'X-Forwarded-For', 'X-Real-IP';
push @passed_on, { Forwarded => 'for=192.0.2.9' };
is(get('/payment?reference=1', headers => $_)->status, 404, join ' ', %$_) for @passed_on;
my @warned = error_log_text() =~ /^.*\[warn\].* payer: "payer_allow" lists "127\.0\.0\.1", which has passed on a request of another client: .*$/mg;
is(scalar @warned, 1, 'one warning');



=== TEST 10: without a proxy, with its address replaced, and for all clients there is no warning
--- http_config
    set_real_ip_from 127.0.0.1;
    real_ip_header   X-Client;
--- config perl
operations() . 'location = /all { payer_payment; payer_allow all; }'
--- request
GET /
--- then
is(get('/payment?reference=1')->status, 404, 'no proxy');
is(get('/payment?reference=1', headers => { 'X-Client' => '127.0.0.2', 'X-Forwarded-For' => '127.0.0.2' })->status, 403,
    'the address of the client is the one that is checked');
is(get('/all?reference=1', headers => { 'X-Forwarded-For' => '192.0.2.9' })->status, 404, 'all clients are allowed');
unlike(error_log_text(), qr/passed on a request/, 'no warning');
