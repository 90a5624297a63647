package Payer::Cert;

# Throw-away certificates for blocks that speak TLS, made once a file in its
# work directory: ca.pem, an authority; NAME.pem and NAME.key, signed by it.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(certificate authority);

my %made;


# authority('other'): the path of another one than the usual

sub authority {
    my ($name) = (@_, 'ca');

    return $made{$name} //= do {
        my $dir = $ENV{TEST_NGINX_DIR};

        _openssl('-keyout', "$dir/$name.key", '-out', "$dir/$name.pem",
            '-subj', "/CN=$name", '-addext', 'keyUsage=critical,keyCertSign');
        "$dir/$name.pem";
    };
}


# certificate('payer.test'): the lines of nginx.conf that present it

sub certificate {
    my ($name) = @_;

    my $file = "$ENV{TEST_NGINX_DIR}/$name";
    my $ca = authority();

    $made{"cert $name"} //= do {
        _openssl('-keyout', "$file.key", '-out', "$file.pem",
            '-subj', "/CN=$name", '-CA', $ca, '-CAkey', $ca =~ s/pem$/key/r,
            '-addext', "subjectAltName=DNS:$name",
            '-addext', 'basicConstraints=critical,CA:FALSE');
        1;
    };

    return "ssl_certificate $file.pem; ssl_certificate_key $file.key;";
}


sub _openssl {
    my @command = (qw(openssl req -x509 -newkey ec -pkeyopt
        ec_paramgen_curve:prime256v1 -nodes -days 7), @_);

    open my $said, '-|', "exec @{[ map { quotemeta } @command ]} 2>&1"
        or die "openssl: $!\n";

    my $text = do { local $/; <$said> };
    close $said or die "openssl failed: $text\n";
}

1;
