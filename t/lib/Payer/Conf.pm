package Payer::Conf;

# Pieces of nginx.conf that are complete and good, of which a block says only
# what is different there:
#
#     --- config perl
#     checkout(payer_amount => '$arg_amount')
#
# Each takes directives with their new values; undef leaves one out, a list
# gives it several times.  A first argument that begins with a slash, = or @
# is the location's name.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(perl checkout operations road bare_http);

# The filter: what the section says is Perl that sees what its file sees.
# (That of Test::Base evaluates where none of this is known.)

sub perl {
    my ($code) = @_;

    my $text = eval "package main; no strict; $code";
    die "$@in: $code\n" if $@;

    return $text;
}


my @CHECKOUT = (
    payer_checkout       => '',
    payer_reference      => '$arg_order public',
    payer_amount         => '12900',
    payer_currency       => 'SEK',
    payer_return_success => '/thanks?order=$payer_reference',
    payer_return_fail    => '/failed',
    payer_return_back    => '/cart',
);


sub checkout {
    my $name = @_ && $_[0] =~ m{^[/=@~]} ? shift : '= /checkout';

    return _block("location $name", \@CHECKOUT, @_);
}


# All five for the back office, at /capture, /cancel, /release, /refund and
# /payment.

sub operations {
    return join '', map {
        _block("location = /$_",
            [ "payer_$_" => '', payer_allow => '127.0.0.1' ], @_)
    } qw(capture cancel release refund payment);
}


# The location that proxies to Payer, as the shipped file leaves it.

sub road {
    return _block('location /_payer/', [
        internal   => '',
        include    => "$ENV{TEST_NGINX_ROOT}/conf/payer_api.conf",
        proxy_pass => 'https://payer/',
    ], @_);
}


# For --- bare: what has to be around it in http.

sub bare_http {
    my $host = shift // '127.0.0.1:443';

    $host = "127.0.0.1:$ENV{TEST_NGINX_SIM_PORT}" if $host eq 'simulator';

    return <<"EOF_CONF";
    payer_zone   payer 1m;
    payer_store  memory;
    payer_client_id           $ENV{TEST_NGINX_AGENT};
    payer_client_secret_file  $ENV{TEST_NGINX_SECRET};
    payer_api  /_payer;
    upstream payer { server $host; keepalive 16; }
EOF_CONF
}


sub _block {
    my ($head, $defaults, @changes) = @_;

    my @lines = @$defaults;
    my %changed;

    while (my ($name, $value) = splice @changes, 0, 2) {
        push @lines, $name, $value unless grep { $_ eq $name } @lines;
        $changed{$name} = $value;
    }

    my $text = '';

    while (my ($name, $value) = splice @lines, 0, 2) {
        $value = $changed{$name} if exists $changed{$name};

        next unless defined $value;

        $text .= "        $name" . (length ? " $_" : '') . ";\n"
            for ref $value ? @$value : $value;
    }

    return "    $head {\n$text    }\n";
}

1;
