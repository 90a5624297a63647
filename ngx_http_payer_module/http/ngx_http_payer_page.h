
/*
 * The pages of "payer_present".
 *
 * The page of "iframe": the payment page in a frame as high as the window, and
 * a link below it that opens it without the frame.
 *
 * When the frame returns to the shop, the whole window opens the frame's
 * address.  Only a page of the same origin can be observed, so if one of the
 * return addresses has another origin, the window opens the payment page
 * immediately.  Without scripts there is no frame, either.
 */


#ifndef _NGX_HTTP_PAYER_PAGE_H_INCLUDED_
#define _NGX_HTTP_PAYER_PAGE_H_INCLUDED_


/*
 * in this order, all escaped: language, title, nonce, title, URL of the
 * widget, title, the three return URLs, URL of the widget, words of the link,
 * nonce
 */

#define NGX_HTTP_PAYER_PAGE                                                  \
    "<!DOCTYPE html>\n"                                                      \
    "<html lang=\"%V\">\n"                                                   \
    "<head>\n"                                                               \
    "<meta charset=\"utf-8\">\n"                                             \
    "<meta name=\"viewport\" "                                               \
        "content=\"width=device-width, initial-scale=1\">\n"                 \
    "<meta name=\"robots\" content=\"noindex\">\n"                           \
    "<title>%V</title>\n"                                                    \
    "<style nonce=\"%V\">\n"                                                 \
    "html, body { height: 100%%; margin: 0; }\n"                             \
    "body { display: flex; flex-direction: column; background: #fff;\n"      \
    "       font: 1rem/1.5 system-ui, sans-serif; color: #222; }\n"          \
    "main { display: none; flex: 1; min-height: 0; }\n"                      \
    ".framed main { display: block; }\n"                                     \
    "iframe { display: block; width: 100%%; height: 100%%; border: 0; }\n"   \
    "h1, p { margin: 2rem 1rem 0; text-align: center; }\n"                   \
    "h1 { font-size: 1.5rem; }\n"                                            \
    "a { display: inline-block; padding: .75rem 1.5rem; color: #fff;\n"      \
    "    background: #0645ad; border-radius: .5rem; }\n"                     \
    ".framed h1 { position: absolute; width: 1px; height: 1px; margin: 0;\n" \
    "             overflow: hidden; clip-path: inset(50%%); }\n"             \
    ".framed p { margin: 0; }\n"                                             \
    ".framed a { color: #0645ad; background: none; font-size: .875rem; }\n"  \
    "</style>\n"                                                             \
    "</head>\n"                                                              \
    "<body>\n"                                                               \
    "<h1>%V</h1>\n"                                                          \
    "<main>\n"                                                               \
    "<iframe src=\"%V\" title=\"%V\" allow=\"payment\"\n"                    \
    "        data-success=\"%V\"\n"                                          \
    "        data-fail=\"%V\"\n"                                             \
    "        data-back=\"%V\"></iframe>\n"                                   \
    "</main>\n"                                                              \
    "<p><a href=\"%V\">%V</a></p>\n"                                         \
    "<script nonce=\"%V\">\n"                                                \
    "(function () {\n"                                                       \
    "    var frame = document.querySelector('iframe'),\n"                    \
    "        urls = frame.dataset, timer;\n"                                 \
    "\n"                                                                     \
    "    function here(url) {\n"                                             \
    "        return new URL(url).origin === location.origin;\n"              \
    "    }\n"                                                                \
    "\n"                                                                     \
    "    function look() {\n"                                                \
    "        var url;\n"                                                     \
    "\n"                                                                     \
    "        try {\n"                                                        \
    "            url = frame.contentWindow.location.href;\n"                 \
    "        } catch (e) {\n"                                                \
    "            return;\n"                                                  \
    "        }\n"                                                            \
    "\n"                                                                     \
    "        if (/^http/.test(url)) {\n"                                     \
    "            clearInterval(timer);\n"                                    \
    "            frame.removeEventListener('load', look);\n"                 \
    "            location.replace(url);\n"                                   \
    "        }\n"                                                            \
    "    }\n"                                                                \
    "\n"                                                                     \
    "    if (here(urls.success) && here(urls.fail) && here(urls.back)) {\n"  \
    "        document.documentElement.className = 'framed';\n"               \
    "        frame.addEventListener('load', look);\n"                        \
    "        timer = setInterval(look, 100);\n"                              \
    "\n"                                                                     \
    "    } else {\n"                                                         \
    "        location.replace(frame.src);\n"                                 \
    "    }\n"                                                                \
    "}());\n"                                                                \
    "</script>\n"                                                            \
    "</body>\n"                                                              \
    "</html>\n"


/*
 * The page of "payer_present confirm": what is to be paid, and a button.  The
 * form has no action, so that it is sent to the address of the page; in this
 * order, all escaped: language, title, nonce, title, word for the order,
 * reference, word for the amount, amount, currency, words of the button
 */

#define NGX_HTTP_PAYER_CONFIRM_PAGE                                          \
    "<!DOCTYPE html>\n"                                                      \
    "<html lang=\"%V\">\n"                                                   \
    "<head>\n"                                                               \
    "<meta charset=\"utf-8\">\n"                                             \
    "<meta name=\"viewport\" "                                               \
        "content=\"width=device-width, initial-scale=1\">\n"                 \
    "<meta name=\"robots\" content=\"noindex\">\n"                           \
    "<title>%V</title>\n"                                                    \
    "<style nonce=\"%V\">\n"                                                 \
    "body { margin: 0; background: #fff; color: #222;\n"                     \
    "       font: 1rem/1.5 system-ui, sans-serif; }\n"                       \
    "main { max-width: 28rem; margin: 0 auto; padding: 2rem 1rem;\n"         \
    "       text-align: center; }\n"                                         \
    "h1 { margin: 0; font-size: 1.5rem; }\n"                                 \
    "dl { margin: 1.5rem 0; }\n"                                             \
    "dt { color: #555; }\n"                                                  \
    "dd { margin: 0 0 .75rem; font-size: 1.25rem;\n"                         \
    "     overflow-wrap: anywhere; }\n"                                      \
    "button { min-height: 3rem; padding: .75rem 1.5rem; font: inherit;\n"    \
    "         color: #fff; background: #0645ad; border: 0;\n"                \
    "         border-radius: .5rem; cursor: pointer; }\n"                    \
    "button:focus-visible { outline: 3px solid #222;\n"                      \
    "                       outline-offset: 2px; }\n"                        \
    "</style>\n"                                                             \
    "</head>\n"                                                              \
    "<body>\n"                                                               \
    "<main>\n"                                                               \
    "<h1>%V</h1>\n"                                                          \
    "<dl>\n"                                                                 \
    "<dt>%V</dt><dd>%V</dd>\n"                                               \
    "<dt>%V</dt><dd>%V %V</dd>\n"                                            \
    "</dl>\n"                                                                \
    "<form method=\"post\">\n"                                               \
    "<button>%V</button>\n"                                                  \
    "</form>\n"                                                              \
    "</main>\n"                                                              \
    "</body>\n"                                                              \
    "</html>\n"


/*
 * language, title, words of the link, order, amount, words of the button, and
 * what separates the decimals; the first one is for all others
 */

#define NGX_HTTP_PAYER_PAGE_WORDS                                            \
    { ngx_string("en"), ngx_string("Card payment"),                          \
      ngx_string("Open the payment in the whole window"),                    \
      ngx_string("Order"), ngx_string("Amount"),                             \
      ngx_string("Pay by card"), '.' },                                      \
    { ngx_string("da"), ngx_string("Kortbetaling"),                          \
      ngx_string("&Aring;bn betalingen i hele vinduet"),                     \
      ngx_string("Ordre"), ngx_string("Bel&oslash;b"),                       \
      ngx_string("Betal med kort"), ',' },                                   \
    { ngx_string("de"), ngx_string("Kartenzahlung"),                         \
      ngx_string("Zahlung im ganzen Fenster &ouml;ffnen"),                   \
      ngx_string("Bestellung"), ngx_string("Betrag"),                        \
      ngx_string("Mit Karte bezahlen"), ',' },                               \
    { ngx_string("fi"), ngx_string("Korttimaksu"),                           \
      ngx_string("Avaa maksu koko ikkunassa"),                               \
      ngx_string("Tilaus"), ngx_string("Summa"),                             \
      ngx_string("Maksa kortilla"), ',' },                                   \
    { ngx_string("nb"), ngx_string("Kortbetaling"),                          \
      ngx_string("&Aring;pne betalingen i hele vinduet"),                    \
      ngx_string("Ordre"), ngx_string("Bel&oslash;p"),                       \
      ngx_string("Betal med kort"), ',' },                                   \
    { ngx_string("nn"), ngx_string("Kortbetaling"),                          \
      ngx_string("Opne betalinga i heile vindauget"),                        \
      ngx_string("Ordre"), ngx_string("Bel&oslash;p"),                       \
      ngx_string("Betal med kort"), ',' },                                   \
    { ngx_string("no"), ngx_string("Kortbetaling"),                          \
      ngx_string("&Aring;pne betalingen i hele vinduet"),                    \
      ngx_string("Ordre"), ngx_string("Bel&oslash;p"),                       \
      ngx_string("Betal med kort"), ',' },                                   \
    { ngx_string("sv"), ngx_string("Kortbetalning"),                         \
      ngx_string("&Ouml;ppna betalningen i hela f&ouml;nstret"),             \
      ngx_string("Order"), ngx_string("Belopp"),                             \
      ngx_string("Betala med kort"), ',' }


/*
 * the origin of the widget, and the nonce, twice; 'self' is for the return
 * URLs: a frame that may not go there could not show where it wanted to go
 */

#define NGX_HTTP_PAYER_PAGE_POLICY                                           \
    "default-src 'none'; frame-src %V 'self'; script-src 'nonce-%V'; "       \
    "style-src 'nonce-%V'; base-uri 'none'; form-action 'none'; "            \
    "frame-ancestors 'none'"


/*
 * the nonce, and what plain http adds; the form is redirected to the payment
 * page, whose origin is not known yet, and browsers check redirects, too
 */

#define NGX_HTTP_PAYER_CONFIRM_POLICY                                        \
    "default-src 'none'; style-src 'nonce-%V'; base-uri 'none'; "            \
    "form-action 'self' https:%s; frame-ancestors 'none'"


#endif /* _NGX_HTTP_PAYER_PAGE_H_INCLUDED_ */
