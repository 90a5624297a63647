# Each rule of tools/style finds what it is there for, and nothing else.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my $dir = tempdir(CLEANUP => 1);
my $good = do { local $/; <DATA> };


sub style {
    my ($text, @options) = @_;

    open my $fh, '>', "$dir/x.c" or die "open: $!\n";
    print $fh $text;
    close $fh;

    my $said = `$^X \Q$FindBin::Bin\E/style @options \Q$dir\E/x.c 2>&1`;
    my %rules = map { $_ => 1 } $said =~ /^[^:]*:\d+: ([\w-]+):/mg;

    return ($?, $said, join ' ', sort keys %rules);
}


my ($status, $said) = style($good);
is($said, '', 'nothing is said about good code');
is($status, 0, 'and it passes');


# What is changed in the good code: rule, what, from, to.

my @bad = (
    [ 'columns', 'a wide line', 'not paid', 'not paid' . ' x' x 40 ],
    [ 'tab', 'a tab', '    if', "\tif" ],
    [ 'trailing', 'a blank at the end', 'return NGX_OK;', 'return NGX_OK; ' ],
    [ 'trailing', 'a carriage return', "return NGX_OK;\n", "return NGX_OK;\r\n" ],
    [ 'comment', 'a // comment', 'return NGX_OK;', 'return NGX_OK;  // ok' ],
    [ 'end', 'no newline at the end', "}\n\\z", '}' ],
    [ 'end', 'blank lines at the end', "}\n\\z", "}\n\n" ],
    [ 'blank-lines', 'three blank lines', "\n\nstatic ngx_str_t",
        "\n\n\n\nstatic ngx_str_t" ],
    [ 'else', 'no blank line before else', "\n\n    \} else", "\n    } else" ],
    [ 'else', 'else below its brace', '\} else \{', "}\n    else {" ],
    [ 'space', 'if(', 'if \(', 'if(' ],
    [ 'space', 'while(', 'while \(', 'while(' ],
    [ 'space', 'switch(', 'switch \(', 'switch(' ],
    [ 'space', '){', 'paid\) \{', 'paid){' ],
    [ 'for', 'for (;;)', 'for \( ;; \)', 'for (;;)' ],
    [ 'cast', 'a cast without a space', '\(u_char \*\) "x"', '(u_char *)"x"' ],
    [ 'pointer', 'char* p', 'u_char      \*p;', 'u_char*      p;' ],
    [ 'braces', 'if without braces', 'if \(n == 0\) \{\n(.*?)\n    \}',
        "if (n == 0)\n        return NGX_ERROR;" ],
    [ 'braces', 'for without braces', 'for \(i = 0; i < n; i\+\+\) \{.*?\n    \}',
        "for (i = 0; i < n; i++)\n        n--;" ],
    [ 'braces', 'while without braces', 'while \(n > 9\) \{.*?\n    \}',
        "while (n > 9)\n        n--;" ],
    [ 'braces', 'else without braces', '\} else \{.*?\n    \}',
        "} else\n        n = 2;" ],
    [ 'braces', 'an empty for', 'for \(i = 0; i < n; i\+\+\) \{.*?\n    \}',
        'for (i = 0; i < n; i++);' ],
    [ 'brace-line', 'a brace that should follow', 'if \(n == 0\) \{',
        "if (n == 0)\n    {" ],
    [ 'brace-line', 'a brace that should not', 'n != 7\)\n    \{',
        'n != 7) {' ],
    [ 'assignment', 'in an if', 'if \(n == 0\)', 'if ((n = 0))' ],
    [ 'assignment', 'in a while', 'while \(n > 9\)', 'while ((n = n - 1) > 9)' ],
    [ 'assignment', 'in the middle of a for', 'i < n; i', 'i = n; i' ],
    [ 'function', 'type and name on one line', 'static ngx_int_t\n(\w+_one\()',
        'static ngx_int_t ngx_http_payer_one(' ],
    [ 'function', 'its brace on the same line', 'n\)\n\{\n    u_char',
        "n) {\n    u_char" ],
    [ 'function', 'a blank before (', '\nngx_http_payer_two\(',
        "\nngx_http_payer_two (" ],
    [ 'function', 'an indented name', '\nngx_http_payer_two\(',
        "\n  ngx_http_payer_two(" ],
    [ 'function-gap', 'one blank line between', '\}\n\n\nngx_int_t\n',
        "}\n\nngx_int_t\n" ],
    [ 'function-gap', 'none between', '\}\n\n\nngx_int_t\n', "}\nngx_int_t\n" ],
    [ 'function-gap', 'one above a comment', '\}\n\n\n/\* with', "}\n\n/* with" ],
    [ 'locals', 'names not in one column', '    u_char     c,',
        '    u_char    c,' ],
    [ 'locals', 'one blank behind the longest', '    u_char     c,(.*?)\n'
        . '    ngx_str_t  s', "    u_char    c;\n    ngx_str_t s" ],
    [ 'prototype', 'a static one without', 'static ngx_int_t '
        . 'ngx_http_payer_one\(.*?;\n', '' ],
    [ 'file-length', 'a long file', '\A',
        "/*\n" . " * x\n" x 700 . " */\n\n\n" ],
    [ 'function-length', 'a long function', '    n = 1;\n',
        "    n = 1;\n" x 101 ],
    [ 'leftover', 'switched off', '\A', "#if 0\n#endif\n\n\n" ],
    [ 'leftover', 'a note to oneself', 'with a comment', 'TO' . 'DO' ],
    [ 'prefix', 'a macro', '#define NGX_HTTP_PAYER_', '#define PAYER_' ],
    [ 'prefix', 'a type', '\} ngx_http_payer_thing_t', '} thing_t' ],
    [ 'prefix', 'a structure', 'struct ngx_http_payer_other_s \{',
        'struct other_s {' ],
    [ 'prefix', 'a function type', '\(\*ngx_http_payer_do_pt\)', '(*do_pt)' ],
    [ 'prefix', 'a function', '\bngx_http_payer_two\b', 'two' ],
    [ 'prefix', 'a static function', '\bngx_http_payer_one\b', 'one' ],
    [ 'prefix', 'a table', 'ngx_http_payer_names\[\]', 'names[]' ],
);

for my $case (@bad) {
    my ($rule, $what, $from, $to) = @$case;
    my $text = $good;

    $text =~ s/$from/$to/gs or die "$what: the good code has no $from";

    my ($status, $said, $rules) = style($text);

    is($rules, $rule, "$rule: $what") or diag($said);
    isnt($status, 0, "$rule: $what fails");
}


# What the project asks for is not asked of others.

for my $rule (qw(prefix leftover function-length file-length)) {
    for my $case (grep { $_->[0] eq $rule } @bad) {
        my (undef, $what, $from, $to) = @$case;
        my $text = $good;

        $text =~ s/$from/$to/gs;

        my ($status, $said) = style($text, '--any-prefix');
        is($said, '', "--any-prefix: $what");
    }
}

done_testing();

__DATA__
/*
 * A file in nginx's style; "// this" and '{' in a literal are no code.
 */


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_PAYER_LIMIT  100

#ifndef NGX_HTTP_TEAPOT
#define NGX_HTTP_TEAPOT       418
#endif


typedef struct ngx_http_payer_other_s  ngx_http_payer_other_t;

typedef ngx_int_t (*ngx_http_payer_do_pt)(ngx_uint_t n, void *data);

typedef struct {
    ngx_str_t             name;
    ngx_http_payer_do_pt  handler;
    ngx_int_t           (*other)(ngx_uint_t n);
} ngx_http_payer_thing_t;


struct ngx_http_payer_other_s {
    u_char                data[NGX_HTTP_PAYER_LIMIT];
};


static ngx_int_t ngx_http_payer_one(ngx_http_payer_thing_t *it,
    ngx_uint_t n);
ngx_int_t ngx_http_payer_two(ngx_uint_t n);
static void ngx_http_payer_three(void *data);


extern ngx_module_t  ngx_http_core_module;


static ngx_str_t  ngx_http_payer_names[] = {
    ngx_string("not paid // at all {"),
    ngx_null_string
};


static ngx_int_t
ngx_http_payer_one(ngx_http_payer_thing_t *it, ngx_uint_t n)
{
    u_char     c, *p;
    ngx_str_t  s;
    ngx_int_t  paid;

    ngx_http_payer_other_t  *other = NULL;

    p = (u_char *) "x";
    paid = it->other(n);

    if (n == 0) {
        return NGX_ERROR;
    }

    if (paid) {
        c = *p;

    } else {
        c = '"';
    }

    switch (c) {

    case '{':
        break;

    default:
        n = sizeof(ngx_http_payer_thing_t *);
    }

    if (other == NULL && n <= 5 && c >= 3
        && n != 7)
    {
        return ngx_http_payer_two(n);
    }

    return it->handler(n, &s);
}


ngx_int_t
ngx_http_payer_two(ngx_uint_t n)
{
    u_char      *p;
    ngx_uint_t   i;

    p = NULL;
    n = 1;

    for (i = 0; i < n; i++) {
        ngx_http_payer_three(p);
    }

    while (n > 9) {
        n--;
    }

    do {
        n++;
    } while (n < 9);

    for ( ;; ) {
        if (n++ > NGX_HTTP_PAYER_LIMIT) {
            break;
        }
    }

    return NGX_OK;
}


/* with a comment that belongs to it */

static void
ngx_http_payer_three(void *data)
{
    ngx_str_t  *name;

#if (NGX_DEBUG)

    if (data) {
        return;
    }

#endif

    name = ngx_http_payer_names;
    (void) name;
}
