# Values of payer_keep that could lose money are rejected.

use lib 't/lib';
use Payer::Test;

run_payer_tests();

__DATA__

=== TEST 1: payer_keep unpaid of less than 31 days is rejected
--- config
--- http_config
    payer_keep unpaid=30d;
--- must_die
--- error_log
"unpaid=30d" is shorter than 31 days, the lifetime of Payer's links, so that an order could be paid twice



=== TEST 2: payer_keep paid of less than 31 days is rejected
--- config
    payer_keep paid=1d;
--- must_die
--- error_log
"paid=1d" is shorter than 31 days



=== TEST 3: payer_keep operations of less than a day is rejected
--- config
    payer_keep operations=1h;
--- must_die
--- error_log
"operations=1h" is shorter than one day, so that a late repeat could be executed twice



=== TEST 4: payer_keep with an invalid time is rejected
--- config
    payer_keep paid=soon;
--- must_die
--- error_log
invalid time in parameter "paid=soon"



=== TEST 5: an unknown parameter of payer_keep is rejected
--- config
    payer_keep events=7y;
--- must_die
--- error_log
invalid parameter "events=7y"



=== TEST 6: a repeated parameter of payer_keep is rejected
--- config
    payer_keep paid=7y paid=8y;
--- must_die
--- error_log
parameter "paid=8y" is duplicate
