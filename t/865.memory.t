# Secrets in the memory of nginx: the contents of a core dump, and the rest of
# a secret or a token that was replaced.  Payer is called over TLS, so that its
# buffers are examined, too.

use lib 't/lib';
use Payer::Test simulator => 0;
use Payer::Conf;
use Payer::Cert;
use Payer::Memory;
use Payer::Sim;

use MIME::Base64 ();

my $key = 'signature-key-of-the-test-shop-0123456789';

$ENV{TEST_NGINX_SIM_PORT} = free_port();
$ENV{TEST_NGINX_TLS_PORT} = free_port();

{
    my ($agent, $secret) = merchant();
    my $pem = work_dir() . '/payer.test';

    certificate('payer.test');

    Payer::Sim::start(
        program => root() . '/demo/simulator',
        port    => $ENV{TEST_NGINX_SIM_PORT},
        agent   => $agent,
        secret  => $secret,
        dir     => work_dir(),
        args    => [ '--listen', "https://127.0.0.1:$ENV{TEST_NGINX_TLS_PORT}"
            . "?cert=$pem.pem&key=$pem.key" ],
    );
}

master_on();
workers(1);

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', http());
    $block->set_value('config', server());
    $block->set_value('request', 'GET /checkout?order=1');
    $block->set_value('error_code', 303);
});


sub http {
    return <<"EOF_CONF";
    payer_zone   payer 1m;
    payer_store  memory;
    upstream payer {
        server     127.0.0.1:$ENV{TEST_NGINX_TLS_PORT};
        keepalive  4;
    }
EOF_CONF
}


sub server {
    my ($agent) = merchant();

    my $conf = do {
        local (@ARGV, $/) = root() . '/conf/payer_api.conf';
        <>;
    };

    $conf =~ s{\S+;(\s*# CA)}{@{[authority()]};$1}
        or die 'no line is marked CA';

    my $road = road(include => write_file('api.conf', $conf));
    my $file = write_file('signature.key', "$key\n", 0600);

    return <<"EOF_CONF" . $road . checkout() . operations()
        payer_api                /_payer host=payer.test;
        payer_client_id          $agent;
        payer_client_secret_file $ENV{TEST_NGINX_SECRET};
        payer_insecure_upstream  on;
EOF_CONF
        . checkout('= /signed', payer_amount => '$arg_amount',
            payer_signature => '$arg_sig "$arg_order $arg_amount"',
            payer_signature_key_file => $file);
}


# All that must not be seen, by name; the tokens are those that were used.

sub secrets {
    my ($secret) = (@_, (merchant())[1]);
    my $basic = MIME::Base64::encode_base64(
        (merchant())[0] . ":$secret", '') =~ s/=+$//r;
    my $n = 0;

    return (
        secret => $secret,
        'secret in base64' => $basic,
        'signature key' => $key,
        map { ('token ' . ++$n => $_) } tokens(),
    );
}


sub tokens {
    my %seen;

    return grep { !$seen{$_}++ } map { /^authorization: Bearer (\S+)$/mi }
        map { sent($_) } qw(create read capture cancel);
}


# A worker does nothing any more when it has answered another request.

sub is_clean {
    my ($title, $where, %texts) = @_;

    my %process = (master => nginx_pid(), worker => (worker_pids())[0]);

    for my $name (sort keys %process) {
        my $found = $where->($process{$name}, %texts);

        is(join(', ', map {"$_ in @{$found->{$_}}"} sort keys %$found), '',
            "$title, $name");
    }
}


# A day in the life: tokens come and go, also in pieces and in large replies.

sub busy {
    get("/checkout?order=a$_") for 1 .. 5;
    get('/signed?order=1&amount=1&sig=' . 'f' x 64);

    pay('1');
    post('/capture', form => { reference => 1, amount => 1 });
    get('/payment?reference=1');

    for my $fault ('token: drip', 'token: huge size=200000',
        'token: headers={"X-Padding":"' . 'x' x 6000 . '"}',
        'token: status=500', 'token: lost-reply', 'create: lost-reply',
        'create: status=500', 'create: reset-in-headers', 'create: garbage')
    {
        revoke();
        faults($fault);
        get('/checkout?order=' . substr $fault =~ s/\W//gr, 0, 30);
        sim('DELETE', 'faults');
    }

    revoke();
    get('/checkout?order=last');
}


sub another_secret {
    my ($secret) = @_;
    my ($agent) = merchant();

    write_file('payer.secret', "$secret\n", 0600);
    sim_config(merchants => { $agent => $secret });
}


# From the start of nginx on: the simulator keeps what a block set.

sub begin {
    my ($agent, $secret) = merchant();

    sim_reset();
    another_secret($secret);
}


# Where workers that die leave their memory.

sub dump_dir {
    my $dir = work_dir() . '/dump';

    mkdir $dir;
    chmod 0777, $dir;

    return $dir;
}


# Whether the system lets us look: a container may not.

sub may_look {
    my $why = unreadable((worker_pids())[0]) // unreadable(nginx_pid())
        // return 1;

    Test::More::pass("not possible here: $why");
    return 0;
}

run_payer_tests();

__DATA__

=== TEST 1: a core dump has neither secrets nor tokens
--- before: ::begin()
--- after
busy();

my %texts = secrets();
cmp_ok(scalar(grep { /^token/ } keys %texts), '>=', 5, 'tokens were used');
ok((journal('create'))[0]{tls}, 'over TLS');

if (may_look()) {
    is_clean('in what is dumped', \&dumped, %texts);

    my $all = found((worker_pids())[0], %texts);
    ok($all->{$_}, "the $_ is elsewhere, where it is needed")
        for 'secret', 'secret in base64', 'signature key';
}



=== TEST 2: a replaced token is erased from memory
--- before: ::begin()
--- after
busy();

my @tokens = tokens();
my %old = map {; "token $_" => $tokens[$_] } 0 .. $#tokens - 1;

if (may_look()) {
    is_clean('in all memory', \&found, %old);

    my $all = found((worker_pids())[0], last => $tokens[-1]);
    is(@{ $all->{last} // [] }, 1, 'and the last one is in the zone alone');
}



=== TEST 3: a replaced secret is erased from memory after a reload
--- before: ::begin()
--- after
busy();

my %old = secrets();
my $another = 'another-key-of-the-merchant';

another_secret($another);
write_file('signature.key', "another-$$-for-signatures-0123456789\n", 0600);
reload();

is(get('/checkout?order=z')->status, 303, 'Payer takes the other secret');

if (may_look()) {
    is_clean('in all memory', \&found,
        map { $_ => $old{$_} } grep { !/token/ } keys %old);

    my %new = (secret => $another);
    ok(found((worker_pids())[0], %new)->{secret}, 'the new one is there');
    is_clean('in what is dumped', \&dumped, %new,
        map { $_ => $old{$_} } grep {/token/} keys %old);
}



=== TEST 4: a token of a replaced secret is erased when it has expired
--- before
begin();
sim_config(token_ttl => 3);
--- after
my ($token) = tokens();

another_secret('another-key-of-the-merchant');
reload();

may_look() and ok(wait_until(sub {
    revoke();
    get('/checkout?order=' . rand)->status == 303 or die 'no link';

    !found((worker_pids())[0], token => $token)->{token};
}, 20), 'it is nowhere');



=== TEST 5: a core dump written by the kernel has neither secrets nor tokens
--- main_config eval: "worker_rlimit_core 2000m; working_directory " . ::dump_dir() . ";"
--- before: ::begin()
--- alert: exited on signal 6
--- after
busy();

my %texts = secrets();
my ($worker) = worker_pids();

kill 'ABRT', $worker;
ok(wait_until(sub { grep { $_ != $worker } worker_pids() }, 10),
    'the worker has died');

my ($core) = glob dump_dir() . '/core*';

if (!$core) {
    Test::More::pass('this system keeps core dumps elsewhere');

} else {
    is(join(', ', in_file($core, %texts)), '', 'nothing secret is in it');
    is(join(', ', in_file($core, name => 'payer.test')), 'name',
        'and yet it is the memory of the worker');
    unlink $core;
}
