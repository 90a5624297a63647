// The checkout in JavaScript, for nginx's njs.  Debian 12 has njs 0.7.9, which
// has no shared dictionaries: the token and the orders are files.  Whoever
// makes an order's file makes its link; until the link is in it, it is empty.

import fs from 'fs';

var CLAIM = 35000;          // ms until an empty file is nobody's
var POLL = 50;
var PATIENCE = 30000;

// Looks first: an exception costs njs more than all the rest of a visit.
function read(file) {
    if (!fs.statSync(file, { throwIfNoEntry: false })) {
        return undefined;
    }

    try {
        return fs.readFileSync(file, 'utf8');

    } catch (e) {
        return undefined;
    }
}

function claim(file) {
    try {
        fs.writeFileSync(file, '', { flag: 'wx' });
        return true;

    } catch (e) {
        return false;
    }
}

function drop(file) {
    try {
        fs.unlinkSync(file);

    } catch (e) {
        // somebody else has done it
    }
}

function abandoned(file) {
    try {
        return Date.now() - fs.statSync(file).mtimeMs > CLAIM;

    } catch (e) {
        return false;
    }
}

function call(r, path, body, done) {
    r.subrequest('/_payer' + path, { method: 'POST', body: body },
        function (res) {
            var reply;

            try {
                reply = res.status == 200 && JSON.parse(res.responseText);

            } catch (e) {
                r.error(path + ': ' + e.message);
            }

            if (!reply) {
                r.error(path + ': status ' + res.status);
            }

            done(reply || {});
        });
}

// Two requests that find no token fetch one each, which does no harm.
function withToken(r, done) {
    var file = r.variables.payer_files + '/token';
    var text = read(file);

    if (text) {
        var end = text.indexOf(' ');

        if (Number(text.slice(0, end)) > Date.now()) {
            done(text.slice(end + 1));
            return;
        }
    }

    call(r, '/oauth2/token', 'grant_type=client_credentials',
         function (reply) {
             if (!reply.access_token) {
                 done();
                 return;
             }

             var bearer = 'Bearer ' + reply.access_token;
             var until = Date.now() + (reply.expires_in || 3600) * 900;
             var fresh = file + '.' + r.variables.request_id;

             fs.writeFileSync(fresh, until + ' ' + bearer);
             fs.renameSync(fresh, file);

             done(bearer);
         });
}

function create(r, reference, file) {
    var shop = r.variables.scheme + '://' + r.variables.host;

    var order = JSON.stringify({
        amount: 12900,
        currencyCode: 'SEK',
        externalPaymentReference: reference,
        languageCode: 'sv',
        orderId: null,
        redirectOnSuccessURL: shop + '/thanks?order=' + reference,
        redirectOnFailURL: shop + '/cart',
        backToShopURL: shop + '/cart'
    });

    function failed() {
        drop(file);
        r.return(502);
    }

    withToken(r, function (bearer) {
        if (!bearer) {
            failed();
            return;
        }

        r.variables.payer_bearer = bearer;

        call(r, '/api/v2/payments/cards/direct', order,
             function (reply) {
                 if (!reply.url) {
                     failed();
                     return;
                 }

                 fs.writeFileSync(file, reply.url);
                 r.return(303, reply.url);
             });
    });
}

function visit(r, reference, file, deadline) {
    var url = read(file);

    if (url) {
        r.return(303, url);
        return;
    }

    if (url === undefined && claim(file)) {
        create(r, reference, file);
        return;
    }

    if (abandoned(file)) {
        drop(file);
    }

    if (Date.now() > deadline) {
        r.return(503);
        return;
    }

    setTimeout(visit, POLL, r, reference, file, deadline);
}

function checkout(r) {
    var reference = r.args.order;

    if (!reference || reference.length > 80) {
        r.return(400);
        return;
    }

    visit(r, reference, r.variables.payer_files + '/order-'
          + encodeURIComponent(reference), Date.now() + PATIENCE);
}

export default { checkout };
