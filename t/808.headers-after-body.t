# A request is redirected to a page after its body was dropped, and another
# module, here Lua, adds headers to it.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use Payer::Events;
use Payer::Shop;

my $modules = '/usr/lib/nginx/modules';
our $load = join '', map { "load_module $modules/$_.so;\n" }
    qw(ndk_http_module ngx_http_lua_module);

# Lua is built for Debian's own nginx only.
my $conf = write_file('lua.conf', $load . 'error_log stderr; pid '
    . work_dir() . '/lua.pid; events { } http { access_log off; '
    . join(' ', map { "${_}_temp_path " . work_dir() . '/lua_temp;' }
        qw(client_body proxy fastcgi uwsgi scgi)) . ' }');

plan(skip_all => 'this nginx has no Lua')
    if system("$ENV{TEST_NGINX_BINARY} -t -e stderr -c $conf >/dev/null 2>&1");

master_on();
workers(1);
run_payer_tests();

__DATA__

=== TEST 1: a proxied error page gets request headers that were added after the body was dropped
--- main_config eval: $::load
--- http_config eval: ::shop_upstream()
--- config
    location = /checkout {
        payer_checkout;
        payer_reference       $arg_order public;
        payer_amount          12900;
        payer_currency        SEK;
        payer_return_success  /thanks;
        payer_return_fail     /cart;
        payer_return_back     /cart;
        error_page 400        /sorry;
    }

    location = /sorry {
        access_by_lua_block {
            for i = 1, 30 do
                ngx.req.set_header("X-New-" .. i, "new")
            end
        }
        proxy_pass http://shop;
    }
--- request
GET /nothing
--- error_code: 404
--- after
my @workers = worker_pids();

for my $count (0, 2, 17, 40) {
    shop_reset();

    # with few headers and with more than a piece of their list has
    my $r = post('/checkout', body => 'x' x 60,
        headers => { map { ("X-Own-$_" => 'own') } 1 .. $count });
    my ($got) = shop_heads();

    is($r->status, 400, "$count headers: an answer");
    is(scalar(grep { /^x-new-/ } keys %$got), 30, 'all new ones arrive');
    is(scalar(grep { /^x-own-/ } keys %$got), $count, 'beside the old ones');
    is($got->{'content-length'}, undef, 'and no body is announced');
}

is(join(' ', worker_pids()), "@workers", 'the worker is still there');
