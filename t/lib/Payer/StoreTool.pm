package Payer::StoreTool;

# build/payer-store for tests.
#
#     store_tool('list', "lmdb:$dir")             (exit status, output, errors)
#     store_tool('import', "lmdb:$dir", $lines)   with an input
#     exported("lmdb:$dir")                       the output of an export that
#                                                 has to succeed
#     imported("lmdb:$dir", $lines)               what an import says that has
#                                                 to succeed
#     store_shell('$TOOL list lmdb:/x >/dev/full')
#                                                 exit status and errors of a
#                                                 command of the shell
#     my $tool = store_start('import', $store)    it runs, between two pipes:
#                                                 $tool->{in}, $tool->{out}
#     store_end($tool, 'INT')                     ends it by a signal: as
#                                                 store_tool()

use strict;
use warnings;

use Exporter qw(import);

use IO::Handle ();
use POSIX ();

our @EXPORT = qw(
    store_tool exported imported store_shell store_start store_end
);


sub _tool { $ENV{PAYER_STORE_TOOL} // Payer::Test::root() . '/build/payer-store' }


sub store_tool {
    my ($command, $store, $input) = @_;

    my $dir = $ENV{TEST_NGINX_DIR};
    my ($in, $out, $errors) = map { "$dir/payer-store.$_" } qw(in out err);

    _spew($in, $input // '');

    my @words = ($command, defined $store ? split(/\0/, $store) : ());

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        open STDIN,  '<', $in;
        open STDOUT, '>', $out;
        open STDERR, '>', $errors;
        exec _tool(), @words or POSIX::_exit(127);
    }

    local $?;
    waitpid $pid, 0;

    return ($? & 127 ? "signal $?" : $? >> 8, _slurp($out), _slurp($errors));
}


sub store_shell {
    my ($script) = @_;

    local $ENV{TOOL} = _tool();
    local $?;
    my $said = qx{exec 2>&1; $script};

    return ($? & 127 ? "signal $?" : $? >> 8, $said);
}


sub store_start {
    my (@words) = @_;

    my $errors = "$ENV{TEST_NGINX_DIR}/payer-store.err";

    pipe my $in, my $to or die "pipe: $!\n";
    pipe my $from, my $out or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        open STDIN,  '<&', $in;
        open STDOUT, '>&', $out;
        open STDERR, '>', $errors;
        exec _tool(), @words or POSIX::_exit(127);
    }

    $to->autoflush(1);
    return { pid => $pid, in => $to, out => $from, errors => $errors };
}


sub store_end {
    my ($tool, $signal) = @_;

    kill $signal, $tool->{pid};

    local $?;
    Payer::Test::wait_until(
        sub { waitpid($tool->{pid}, POSIX::WNOHANG()) != 0 }, 10)
        or do { kill 'KILL', $tool->{pid}; waitpid $tool->{pid}, 0 };

    local $/;
    my $status = $? & 127 ? "signal $?" : $? >> 8;

    return ($status, readline($tool->{out}) // '', _slurp($tool->{errors}));
}


sub exported {
    my ($store) = @_;

    my ($status, $out, $errors) = store_tool('export', $store);

    die "the export of $store failed: $errors" if $status || $errors;
    return $out;
}


sub imported {
    my ($store, $lines) = @_;

    my ($status, undef, $errors) = store_tool('import', $store, $lines);

    die "the import to $store failed: $errors" if $status;
    return $errors;
}


sub _spew {
    my ($file, $bytes) = @_;

    open my $fh, '>:raw', $file or die "open $file: $!\n";
    print $fh $bytes;
    close $fh or die "write $file: $!\n";
}


sub _slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or die "open $file: $!\n";
    local $/;
    return <$fh> // '';
}

1;
