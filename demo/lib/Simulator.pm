package Simulator;

# The server: one process, one event loop.  Takes each request, writes it into
# the journal, lets a fault have its way, does the work and answers.

BEGIN { $ENV{MOJO_LOG_LEVEL} ||= 'fatal' }

use Mojo::Base -base, -signatures;

use Mojo::IOLoop;
use Mojo::JSON qw(encode_json);
use Mojo::Log;
use Mojo::Parameters;
use Mojo::Server::Daemon;
use Mojo::Transaction::HTTP;
use Mojo::URL;
use Mojo::Util qw(b64_decode);
use Time::HiRes ();

use Simulator::Api;
use Simulator::Books;
use Simulator::Control;
use Simulator::Events;
use Simulator::Faults;
use Simulator::Widget;

has 'options';
has log     => sub { Mojo::Log->new };
has journal => sub { [] };
has faults  => sub { Simulator::Faults->new };

# Mojo::Server asks its application for these.
sub server ($self, $) { }
sub build_tx ($self)  { Mojo::Transaction::HTTP->new }


sub run ($self) {
    my $opt   = $self->options;
    my $books = Simulator::Books->new(
        merchants => {
            $opt->{'agent-id'} => $opt->{secret},
            map { split /:/, $_, 2 } @{ $opt->{merchant} }
        },
        defaults => {
            token_ttl   => $opt->{'token-ttl'},
            event_retry => $opt->{'event-retry'}
        },
    );
    my $events = Simulator::Events->new(books => $books);

    $books->on_event(sub ($type, $p) { $events->emit($type, $p) });

    $self->{books}  = $books;
    $self->{widget} = Simulator::Widget->new(books => $books);
    $self->{api} = Simulator::Api->new(books => $books, events => $events);
    $self->{control} = Simulator::Control->new(
        books   => $books,
        events  => $events,
        faults  => $self->faults,
        journal => $self->journal,
        widget  => $self->{widget}
    );

    $self->_open_journal($opt->{journal}) if defined $opt->{journal};

    $self->_serve($opt, $books);
}


sub _open_journal ($self, $file) {
    open $self->{file}, '>>', $file or die "open $file: $!\n";
    $self->{file}->autoflush(1);
}


sub _serve ($self, $opt, $books) {
    local $SIG{PIPE} = 'IGNORE';
    local $SIG{TERM} = sub { Mojo::IOLoop->stop };
    local $SIG{INT}  = $SIG{TERM};
    local $SIG{HUP}  = $SIG{TERM};

    # nginx keeps connections open; only a peer or a fault ends them
    my $daemon = Mojo::Server::Daemon->new(
        app                => $self,
        listen             => $opt->{listen},
        silent             => 1,
        backlog            => 1024,
        max_clients        => 20000,
        max_requests       => 1e9,
        inactivity_timeout => 0,
        keep_alive_timeout => 300
    );

    $daemon->start;

    my @urls = map {
        my $url = Mojo::URL->new($opt->{listen}[$_]);
        $url->query(Mojo::Parameters->new)->port($daemon->ports->[$_]);
        $url->to_string =~ s{/\z}{}r;
    } 0 .. $#{ $opt->{listen} };

    $books->public_url(($opt->{'public-url'} // $urls[0]) =~ s{/\z}{}r);

    $self->_write_pid($opt->{pid}) if defined $opt->{pid};

    # signals are seen between two turns of the loop, so let it turn
    my $parent = getppid;
    Mojo::IOLoop->recurring(
        0.25 => sub {
            Mojo::IOLoop->stop if $opt->{'with-parent'} && getppid != $parent;
        }
    );

    STDOUT->autoflush(1);
    print 'ready ', join(' ', @urls), "\n";

    Mojo::IOLoop->start;

    unlink $opt->{pid} if defined $opt->{pid};
}


sub _write_pid ($self, $file) {
    open my $fh, '>', $file or die "open $file: $!\n";
    print $fh "$$\n";
    close $fh or die "write $file: $!\n";
}


# Every request comes in here.

sub handler ($self, $tx) {
    my $req  = $tx->req;
    my $path = $req->url->path->to_string;

    return $self->_send($tx, $self->{control}->call($req))
        if index($path, '/_sim/') == 0;

    my $method = $req->method;
    my $server = $self->{widget};
    my $route  = $server->route($method, $path);

    if (!$route) {
        $server = $self->{api};
        $route  = $server->route($method, $path);
    }

    my $entry = $self->_note($tx, $req, $route->{name}, $path);
    my $fault = $self->faults->take($route->{name},
        "$method $path?$entry->{query}\n$entry->{body}", $entry->{agent});

    return $self->_send($tx, $server->call($route, $req), $entry) if !$fault;

    $entry->{fault} = $fault->{action};

    _later($fault->{delay},
        sub { $self->_faulty($tx, $fault, $entry, $server, $route) });
}


sub _later ($seconds, $run) {
    return $run->() if !$seconds;
    Mojo::IOLoop->timer($seconds => sub { $run->() });
}


# The work is done although the caller may have gone: that is what a real
# server does, too.

sub _faulty ($self, $tx, $fault, $entry, $server, $route) {
    $self->{books}->revoke if $fault->{action} eq 'revoke';

    my $reply = $fault->{work} ? $server->call($route, $tx->req) : undef;

    $entry->{done} = $reply->{status} if $reply;

    _later($fault->{delay_after}, sub {
        my $stream = Mojo::IOLoop->stream($tx->connection) or return;

        if (exists $entry->{gone}) {
            return;
        }

        if ($self->faults->wire($fault, $reply, $stream)) {
            $self->_answered($entry, 0);
            return;
        }

        $self->_send($tx, $self->faults->change($fault, $reply), $entry);
    });
}


sub _send ($self, $tx, $reply, $entry = undef) {
    my $res     = $tx->res;
    my $headers = $res->headers;

    $res->code($reply->{status});
    $headers->remove('Server');
    $headers->content_type($reply->{type}) if defined $reply->{type};

    while (my ($name, $value) = each %{ $reply->{headers} // {} }) {
        $headers->header($name => $value);
    }

    if ($tx->req->method eq 'HEAD') {
        $headers->content_length(length $reply->{body});

    } else {
        $res->body($reply->{body});
    }

    $self->_answered($entry, $reply->{status}) if $entry;

    $tx->resume;
}


# The journal.  "status" is what was answered, 0 for a broken answer, null
# while nothing was answered; "done" is the status of work that a fault then
# hid; "gone" is set when the caller hung up first.

sub _note ($self, $tx, $req, $call, $path) {
    my $headers = $req->headers;
    my $entry   = {
        n       => ++$self->{seen},
        time    => Time::HiRes::time,
        call    => $call,
        method  => $req->method,
        path    => $path,
        query   => $req->url->query->to_string,
        headers => [
            map {
                my $name = $_;
                map { [ $name, $_ ] } @{ $headers->every_header($name) }
            } @{ $headers->names }
        ],
        body       => $req->body,
        agent      => $self->_agent($headers->authorization // ''),
        connection => $self->_connection($tx),
        tls        => $req->url->base->protocol eq 'https' ? \1 : \0,
        status     => undef,
    };

    utf8::decode($entry->{body});
    push @{ $self->journal }, $entry;

    $tx->on(finish => sub {
        return if defined $entry->{status};
        $entry->{gone} = Time::HiRes::time - $entry->{time};
        $self->_write($entry);
    });

    return $entry;
}


# Whose credentials a request carries, whether they are good or not: of a
# token that is not known, or not any more, nobody knows whose it is.

sub _agent ($self, $authorization) {
    return $self->{books}->agent_of($1) if $authorization =~ /\ABearer (\S+)/i;

    return $authorization =~ /\ABasic (\S+)/i
        ? (split /:/, b64_decode($1), 2)[0] : undef;
}


sub _answered ($self, $entry, $status) {
    $entry->{status} = $status;
    $entry->{took}   = Time::HiRes::time - $entry->{time};
    $self->_write($entry);
}


sub _write ($self, $entry) {
    my $file = $self->{file} or return;
    print $file encode_json($entry), "\n";
}


# Connections are numbered in the order of their first request.

sub _connection ($self, $tx) {
    my $id = $tx->connection;

    return $self->{connections}{$id} // do {
        my $stream = Mojo::IOLoop->stream($id);

        $stream->on(close => sub { delete $self->{connections}{$id} });
        $self->{connections}{$id} = ++$self->{accepted};
    };
}

1;
