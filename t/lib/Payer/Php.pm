package Payer::Php;

# PHP on a free port, with the scripts of a directory:
#
#     use Payer::Php;
#     my $port = php_server($root);     # its own web server
#     my $port = php_cgi();             # FastCGI, as php-fpm speaks it
#
# Both end with the test.

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;
use POSIX qw(WNOHANG);

use Payer::Test ();

our @EXPORT = qw(php_server php_cgi);

my @started;


sub php_server {
    my ($root, $router) = @_;

    return _start(sub { 'php', '-S', "127.0.0.1:$_[0]", '-t', $root,
        defined $router ? $router : () });
}


# Several processes: a script may be asked for while another one waits.

sub php_cgi {
    local $ENV{PHP_FCGI_CHILDREN} = 3;

    return _start(sub { 'php-cgi', '-b', "127.0.0.1:$_[0]" });
}


sub _start {
    my ($command) = @_;

    my $port = Payer::Test::free_port();
    my @command = $command->($port);
    my $log = Payer::Test::work_dir() . "/$command[0].log";
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        # the children of php-cgi are ended with it
        setpgrp 0, 0;

        open STDIN,  '<',  '/dev/null' or POSIX::_exit(126);
        open STDOUT, '>',  $log        or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT    or POSIX::_exit(126);
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    push @started, [ $pid, $$ ];

    Payer::Test::wait_until(sub {
        IO::Socket::INET->new("127.0.0.1:$port")
            || waitpid($pid, WNOHANG) == $pid;
    }, 15) or die "$command[0] is not up: see $log\n";

    return $port;
}


END {
    local $?;

    for my $server (@started) {
        my ($pid, $owner) = @$server;

        next unless $owner == $$;
        kill 'TERM', -$pid;
        waitpid $pid, 0;
    }
}

1;
