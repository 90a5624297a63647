package Simulator::Widget;

# The page where the buyer pays: card form, 3-D Secure challenge, and the
# friendly end for links that are no longer alive.  How the pages look and
# which cards exist is this simulator's own (beyond the facts).

use Mojo::Base -base, -signatures;

use Mojo::File     qw(curfile);
use Mojo::Template;
use Mojo::URL;
use Mojo::Util     qw(encode);

has 'books';
has templates => sub { curfile->dirname->child('widget') };

# name, number, what it does, text
my @CARDS = (
    [ success => '4111111111111111', 'accept', 'Accepted at once' ],
    [ '3ds'   => '4000000000003220', 'challenge',
        '3-D Secure: the bank asks first' ],
    [ '3ds-decline' => '4000008400001629', 'challenge',
        '3-D Secure, then declined by the bank' ],
    [ decline => '4000000000000002', 'decline', 'Declined' ],
    [ funds   => '4000000000009995', 'funds',   'Insufficient funds' ],
);

my %CARD    = map { ($_->[0] => $_, $_->[1] => $_) } @CARDS;
my %PATTERN = map { $_->[1] => $_->[1] =~ s/(\d{4})(?=\d)/$1 /gr } @CARDS;

my %ERRORS = (
    decline => 'The card was declined. Nothing was charged. '
        . 'You can try another card.',
    funds => 'The card has insufficient funds. Nothing was charged. '
        . 'You can try another card.',
    number  => 'This is not one of the test cards. Check the card number.',
    expiry  => 'The card has expired, or the date is not written as MM/YY.',
    cvc     => 'The security code has three digits.',
    session => 'The check by your bank has ended. Please try again.',
);

# currencies whose minor unit is not a hundredth
my %EXPONENT = (
    (map { $_ => 0 } qw(BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND
        VUV XAF XOF XPF)),
    (map { $_ => 3 } qw(BHD IQD JOD KWD LYD OMR TND)),
);

my $SECURITY = {
    'Cache-Control'           => 'no-store',
    'Content-Security-Policy' => "default-src 'none'; "
        . "style-src 'unsafe-inline'; script-src 'nonce-%s'; base-uri 'none'",
    'Referrer-Policy'        => 'no-referrer',
    'X-Content-Type-Options' => 'nosniff',
};


# What this path is called in the journal and by faults, or undef.

sub route ($self, $method, $path) {
    my ($token, $rest) = $path =~ m{\A/widget/([0-9a-f]+)(/.*)?\z}
        or return undef;

    return { name => 'widget', token => $token, page => '_form' }
        if !defined $rest;
    return { name => 'back', token => $token, page => '_back' }
        if $rest eq '/back';
    return { name => '3ds', token => $token, page => '_challenge', id => $1 }
        if $rest =~ m{\A/3ds/([0-9a-f]+)\z};

    return undef;
}


sub call ($self, $route, $req) {
    my $page = $route->{page};
    my $p    = $self->books->by_token($route->{token})
        or return $self->_closed(undef, 404);

    return { status => 405, body => '', headers => { Allow => 'GET, POST' } }
        unless $req->method =~ /\A(?:GET|HEAD|POST)\z/;

    return $self->$page($p, $req, $route->{id});
}


sub _form ($self, $p, $req, $) {
    return $self->_closed($p, 410) unless $self->books->live($p);

    if ($req->method eq 'POST') {
        my $form = $req->body_params;
        my ($number, $expiry, $cvc) =
            map { $form->param($_) // '' } qw(number expiry cvc);
        my $wrong = $self->_wrong($number =~ s/[ -]//gr, $expiry, $cvc);

        return _see_other($self->_again($p, $wrong)) if $wrong;

        my ($outcome, $location) =
            $self->_pay($p, $CARD{ $number =~ s/[ -]//gr });

        return _see_other($location);
    }

    my $error = $req->query_params->param('error') // '';

    return $self->_page(200, 'form', $p, error => $ERRORS{$error});
}


sub _wrong ($self, $number, $expiry, $cvc) {
    return 'number' unless $number =~ /\A\d+\z/ && $CARD{$number};
    return 'cvc'    unless $cvc    =~ /\A\d{3}\z/;
    return 'expiry'
        unless $expiry =~ m{\A\s*(0[1-9]|1[0-2])\s*/?\s*(\d\d)\s*\z};

    my ($month, $year) = (gmtime $self->books->now)[ 4, 5 ];

    return $2 * 12 + $1 < ($year - 100) * 12 + $month + 1 ? 'expiry' : undef;
}


sub _again ($self, $p, $error) { "/widget/$p->{token}?error=$error" }


# The buyer presses Pay: an outcome, and where the browser goes.

sub _pay ($self, $p, $card) {
    my $action = $card->[2];

    if ($action eq 'accept') {
        $self->books->authorize($p);
        return authorized => $p->{redirectOnSuccessURL};
    }

    if ($action eq 'challenge') {
        $p->{session_card} = $card->[0];
        my $session = $self->books->start_session($p);
        return challenge => "/widget/$p->{token}/3ds/$session";
    }

    $self->books->decline($p, $action);

    return declined => $self->_again($p, $action);
}


sub _challenge ($self, $p, $req, $session) {
    return $self->books->live($p)
        ? _see_other($self->_again($p, 'session'))
        : $self->_closed($p, 410)
        unless ($p->{session} // '') eq $session;

    if ($req->method eq 'POST') {
        my $answer = $req->body_params->param('answer') // '';
        my ($outcome, $location) = $self->_finish($p, $answer);

        return _see_other($location);
    }

    return $self->_page(200, 'challenge', $p, session => $session);
}


# The bank's answer.  A session that was open when the link was cancelled goes
# on to its end, and so the authorization can overtake the cancel.  Rejecting
# sends the buyer to redirectOnFailURL; the link stays alive.

sub _finish ($self, $p, $answer) {
    my $books = $self->books;

    if ($answer ne 'approve') {
        $books->decline($p, 'rejected');
        return rejected => $p->{redirectOnFailURL};
    }

    if ($p->{session_card} eq '3ds-decline') {
        $books->decline($p, 'decline');
        return declined => $self->_again($p, 'decline');
    }

    $books->authorize($p);

    return authorized => $p->{redirectOnSuccessURL};
}


sub _back ($self, $p, $req, $) { _see_other($p->{backToShopURL}) }


# POST /_sim/pay

sub shortcut ($self, $p, $name, $threeds) {
    return { outcome => 'back', location => $p->{backToShopURL} }
        if $name eq 'back';

    my $card = $CARD{ $name =~ s/[ -](?=\d{4})//gr } or return undef;
    my ($outcome, $location);

    if ($p->{session} && defined $threeds) {
        ($outcome, $location) = $self->_finish($p, $threeds);

    } elsif ($self->books->live($p)) {
        ($outcome, $location) = $self->_pay($p, $card);

        ($outcome, $location) = $self->_finish($p, $threeds // 'approve')
            if $outcome eq 'challenge' && ($threeds // '') ne 'start';

    } else {
        ($outcome, $location) = ('closed', undef);
    }

    return { outcome => $outcome, location => $location };
}


sub _see_other ($location) {
    return {
        status  => 303,
        body    => '',
        headers => { Location => $location, 'Cache-Control' => 'no-store' }
    };
}


sub _closed ($self, $p, $status) {
    my $books = $self->books;
    my $why   = !$p ? 'unknown'
        : $p->{status} eq 'CANCELLED' ? 'cancelled'
        : $books->expired($p)         ? 'expired'
        :                               'paid';

    return $self->_page($why eq 'paid' ? 200 : $status,
        'closed', $p, why => $why);
}


sub _page ($self, $status, $name, $p, %vars) {
    my $nonce = $self->books->random_hex(12);
    my $body  = $self->_render($name, {
        nonce  => $nonce,
        p      => $p,
        amount => $p ? _money($p->{amount}, $p->{currencyCode}) : '',
        shop   => $p ? Mojo::URL->new($p->{backToShopURL})->host_port : '',
        cards  => \@CARDS,
        digits => \%PATTERN,
        title  => 'Card payment',
        %vars
    });

    return {
        status  => $status,
        type    => 'text/html;charset=UTF-8',
        body    => $body,
        headers => {
            %$SECURITY,
            'Content-Security-Policy' =>
                sprintf($SECURITY->{'Content-Security-Policy'}, $nonce)
        }
    };
}


sub _render ($self, $name, $vars) {
    my $content = $self->_template($name)->process($vars);

    return encode('UTF-8',
        $self->_template('layout')->process({ %$vars, content => $content }));
}


# Compiled once each; every expression is escaped for HTML.

sub _template ($self, $name) {
    return $self->{compiled}{$name} //= Mojo::Template->new(
        vars        => 1,
        auto_escape => 1,
        name        => "$name.html.ep"
    )->parse($self->templates->child("$name.html.ep")->slurp);
}


sub _money ($amount, $currency) {
    my $exponent = $EXPONENT{$currency} // 2;
    my $digits   = sprintf '%0*d', $exponent + 1, $amount;
    my $minor    = '';

    $minor = '.' . substr $digits, -$exponent, $exponent, '' if $exponent;

    1 while $digits =~ s/(\d)(\d{3})(?!\d)/$1\x{a0}$2/;

    return "$digits$minor\x{a0}$currency";
}

1;
