package Browser;

# A headless Chromium, driven through chromedriver.  The W3C WebDriver
# protocol is JSON over HTTP, so no client library is needed.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use File::Temp ();
use HTTP::Tiny;
use JSON::PP     qw(decode_json encode_json);
use MIME::Base64 qw(decode_base64);
use POSIX        qw(WNOHANG);
use Time::HiRes  qw(sleep time);

use constant PATIENCE => 20;

my $ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';


# Why no browser can be started, or undef.

sub missing ($class) {
    for my $name (qw(chromium chromedriver)) {
        return "$name is not installed" unless _which($name);
    }

    return undef;
}


sub _which ($name) {
    my ($found) = grep { -x } map {"$_/$name"} split /:/, $ENV{PATH};
    return $found;
}


sub new ($class, %args) {
    my $self = bless {
        http  => HTTP::Tiny->new(timeout => 60),
        owner => $$,
        dir   => $args{screenshots},
        home  => File::Temp->newdir
    }, $class;

    $self->_start_driver($args{log});

    my @flags = qw(--headless=new --disable-gpu --disable-dev-shm-usage
        --hide-scrollbars --force-color-profile=srgb --no-first-run
        --disable-background-networking --no-proxy-server);

    push @flags, @{ $args{flags} // [] };

    # Chromium refuses its sandbox to root
    push @flags, '--no-sandbox' if $> == 0;

    my $session = $self->_call(POST => '/session', {
        capabilities => {
            alwaysMatch => {
                browserName => 'chrome',
                'goog:chromeOptions' =>
                    { binary => _which('chromium'), args => \@flags }
            }
        }
    });

    $self->{session} = "/session/$session->{sessionId}";

    return $self;
}


sub _start_driver ($self, $log) {

    # what an earlier run has left there names another port
    unlink $log;

    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        setpgrp 0, 0;
        @ENV{qw(HOME TMPDIR)} = ("$self->{home}") x 2;
        delete @ENV{ grep {/\AXDG_/} keys %ENV };
        CORE::open STDIN,  '<', '/dev/null' or POSIX::_exit(126);
        CORE::open STDOUT, '>', $log        or POSIX::_exit(126);
        CORE::open STDERR, '>&', \*STDOUT   or POSIX::_exit(126);
        { no warnings 'exec'; exec _which('chromedriver'), '--port=0' }
        POSIX::_exit(127);
    }

    $self->{pid} = $pid;

    my ($port) = $self->wait_for('chromedriver', sub {
        die "chromedriver did not start: " . _read($log)
            if waitpid($pid, WNOHANG) == $pid;
        return _read($log) =~ /started successfully on port (\d+)/ ? $1 : ();
    });

    $self->{url} = "http://127.0.0.1:$port";
}


sub _read ($file) {
    CORE::open my $fh, "<", $file or return '';
    local $/;
    return <$fh> // '';
}


# One command of the protocol.  What the browser refuses is an exception.

sub _call ($self, $method, $path, $json = undef) {
    my $reply = $self->{http}->request($method, $self->{url} . $path,
        $method eq 'POST'
        ? {
            headers => { 'Content-Type' => 'application/json' },
            content => encode_json($json // {})
            }
        : {});

    die "$method $path: $reply->{content}\n" if $reply->{status} == 599;

    my $value = decode_json($reply->{content})->{value};

    die "$method $path: $value->{error}: $value->{message}\n"
        unless $reply->{success};

    return $value;
}


sub _do ($self, $method, $path, $json = undef) {
    return $self->_call($method, $self->{session} . $path, $json);
}


# Repeats until the condition returns something true, and returns that.

sub wait_for ($self, $what, $condition) {
    my $end = time + PATIENCE;

    while (time < $end) {
        my @got = $condition->();
        return wantarray ? @got : $got[0] if @got && $got[0];
        sleep 0.05;
    }

    my $where = $self->{session} ? ' at ' . $self->url : '';

    die "waited in vain for $what$where\n";
}


sub open ($self, $url) { $self->_do(POST => '/url', { url => $url }) }
sub url ($self)  { $self->_do(GET => '/url') }
sub back ($self) { $self->_do(POST => '/back') }


sub script ($self, $code, @args) {
    return $self->_do(POST => '/execute/sync',
        { script => $code, args => \@args });
}


sub _elements ($self, $css) {
    my $found = $self->_do(POST => '/elements',
        { using => 'css selector', value => $css });

    return map { $_->{$ELEMENT} } @$found;
}


sub has ($self, $css) { scalar(() = $self->_elements($css)) }


# The first element that matches, once the page has it.

sub find ($self, $css) {
    return $self->wait_for($css, sub { ($self->_elements($css))[0] });
}


sub text ($self, $css) {
    return $self->_do(GET => '/element/' . $self->find($css) . '/text');
}


sub type ($self, $css, $text) {
    $self->_do(POST => '/element/' . $self->find($css) . '/value',
        { text => $text });
}


sub click ($self, $css) {
    $self->_do(POST => '/element/' . $self->find($css) . '/click');
}


# From here on in the frame, or in the window again.

sub frame ($self, $css) {
    $self->_do(POST => '/frame', { id => { $ELEMENT => $self->find($css) } });
}


sub window ($self) { $self->_do(POST => '/frame', { id => undef }) }


# With JavaScript, or without.

sub scripts ($self, $on) {
    $self->_do(POST => '/goog/cdp/execute', {
        cmd    => 'Emulation.setScriptExecutionDisabled',
        params => { value => $on ? JSON::PP::false : JSON::PP::true }
    });
}


sub size ($self, $width, $height, $phone = 0, $scale = 2) {
    $self->_do(POST => '/goog/cdp/execute', {
        cmd    => 'Emulation.setDeviceMetricsOverride',
        params => {
            width             => $width,
            height            => $height,
            deviceScaleFactor => $scale,
            mobile            => $phone ? JSON::PP::true : JSON::PP::false
        }
    });
}


# How many pixels the page is wider than the window.

sub overflow ($self) {
    return $self->script('var e = document.documentElement;'
            . ' return e.scrollWidth - window.innerWidth;');
}


# A picture of the whole page, as long as it is.

sub screenshot ($self, $name) {
    my $shot = $self->_do(POST => '/goog/cdp/execute', {
        cmd    => 'Page.captureScreenshot',
        params => { captureBeyondViewport => JSON::PP::true }
    });

    CORE::open my $fh, '>:raw', "$self->{dir}/$name.png"
        or die "open $name: $!";
    print $fh decode_base64($shot->{data});
    close $fh or die "write $name: $!";
}


# chromedriver leads a process group of its own; when it did not end its
# browser in order, the whole group goes.

sub quit ($self) {
    return if $self->{owner} != $$;

    my $session = delete $self->{session};
    eval { $self->_call(DELETE => $session) } if $session;

    my $pid = delete $self->{pid} or return;
    my $end = time + 5;

    kill TERM => $pid;

    until (waitpid $pid, WNOHANG) {
        kill KILL => $pid if time > $end;
        sleep 0.02;
    }

    kill KILL => -$pid;
}


sub DESTROY ($self) {
    local ($?, $@);
    $self->quit;
}

1;
