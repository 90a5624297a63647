package Payer::Table;

# Configurations and what nginx -t makes of them.
#
#     refused 'an amount from an argument', qr/who chooses/,
#         server => 'location = /x { ... }';
#
# Each is a whole nginx.conf: with a zone, a merchant, an upstream and, unless
# "api" says otherwise, a good location for the calls to Payer.

use strict;
use warnings;

use Exporter qw(import);
use Test::More ();

use Payer::Conf;
use Payer::Test ();

our @EXPORT = qw(refused warned started rows);

my ($port, $rows);


# nginx does not start, and says this.

sub refused {
    my ($name, $pattern, %conf) = @_;
    my ($status, @said) = _test(%conf);

    my @emerg = grep { /\[emerg\]/ } @said;

    Test::More::ok($status && @emerg == 1 && $emerg[0] =~ $pattern,
        "refused: $name") or _show($pattern, @said);
}


# It starts, with this warning, once.

sub warned {
    my ($name, $pattern, %conf) = @_;
    my ($status, @said) = _test(%conf);

    my @warn = _warnings(@said);

    Test::More::ok(!$status && @warn == 1 && $warn[0] =~ $pattern,
        "warned of: $name") or _show($pattern, @said);
}


# It starts, without a warning.

sub started {
    my ($name, %conf) = @_;
    my ($status, @said) = _test(%conf);

    Test::More::ok(!$status && !_warnings(@said), "started: $name")
        or _show('nothing', @said);
}


sub rows { $rows }


# Of the store that only tests use it warns in any case.

sub _warnings {
    return grep { /\[(?:warn|crit|alert)\]/ && !/payer_store memory/ } @_;
}


sub _show {
    my ($pattern, @said) = @_;

    Test::More::diag("expected: $pattern");
    Test::More::diag("said: $_") for @said;
}


sub _test {
    my (%conf) = @_;
    my $dir = Payer::Test::work_dir();

    $rows++;
    $port //= Payer::Test::free_port();

    my $load = join '', map {"load_module $_;\n"} split ' ',
        $ENV{TEST_NGINX_LOAD_MODULES};
    my $http = $conf{http} // '';
    my $name = $conf{name} // 'shop.example';
    my $api  = $conf{api} // road();

    my $file = Payer::Test::write_file('table.conf', <<"EOF");
${load}error_log stderr;
pid $dir/table.pid;
events { }
http {
    access_log off;
    client_body_temp_path $dir/temp;
    proxy_temp_path       $dir/temp;
    fastcgi_temp_path     $dir/temp;
    uwsgi_temp_path       $dir/temp;
    scgi_temp_path        $dir/temp;
@{[ bare_http($conf{host}) ]}
$http
    server {
        listen 127.0.0.1:$port;
        server_name $name;
$api
$conf{server}
    }
}
EOF

    # No path in here needs quoting.
    my @said = split /\n/,
        `$ENV{TEST_NGINX_BINARY} -t -p $dir -e stderr -c $file 2>&1`;

    return ($?, @said);
}

1;
