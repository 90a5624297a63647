
/*
 * office/office.html, made by tools/office-files.
 */


#ifndef _NGX_HTTP_PAYER_OFFICE_HTML_H_INCLUDED_
#define _NGX_HTTP_PAYER_OFFICE_HTML_H_INCLUDED_


static ngx_str_t  ngx_http_payer_office_html = ngx_string(
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<"
    "meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
    "\n<meta name=\"robots\" content=\"noindex\">\n<title>Payments</title>\n<"
    "link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"offi"
    "ce.css\">\n<script src=\"office.js\" defer></script>\n</head>\n<body>\n<"
    "header>\n<h1 data-t=\"title\">Payments</h1>\n<p id=\"who\"></p>\n<button"
    " type=\"button\" id=\"language\" lang=\"sv\">Svenska</button>\n</header>"
    "\n<p id=\"banner\" role=\"note\" hidden></p>\n<p id=\"status\" role=\"st"
    "atus\"></p>\n<p id=\"alert\" role=\"alert\"></p>\n<main>\n<noscript><p>T"
    "his page needs JavaScript. Sidan beh\303\266ver JavaScript.</p></noscrip"
    "t>\n\n<section id=\"list\" aria-labelledby=\"list-title\">\n<h2 id=\"lis"
    "t-title\" data-t=\"orders\">Orders</h2>\n<form id=\"filter\">\n<label><s"
    "pan data-t=\"search\">Order or payment begins with</span>\n<input name="
    "\"q\" maxlength=\"255\" autocomplete=\"off\" spellcheck=\"false\"></labe"
    "l>\n<label><span data-t=\"state\">State</span>\n<select name=\"state\"><"
    "option value=\"\" data-t=\"all\">All</option></select></label>\n<label><"
    "span data-t=\"from\">Changed from</span>\n<input name=\"from\" type=\"da"
    "te\"></label>\n<label><span data-t=\"to\">to</span>\n<input name=\"to\" "
    "type=\"date\"></label>\n<label class=\"check\"><input name=\"attention\""
    " type=\"checkbox\" value=\"1\">\n<span data-t=\"attention\">Needs attent"
    "ion</span></label>\n<button type=\"submit\" data-t=\"show\">Show</button"
    ">\n</form>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-labe"
    "lledby=\"list-title\">\n<table>\n<thead><tr>\n<th scope=\"col\" data-t="
    "\"order\">Order</th>\n<th scope=\"col\" data-t=\"state\">State</th>\n<th"
    " scope=\"col\" class=\"sum\" data-t=\"amount\">Amount</th>\n<th scope=\""
    "col\" class=\"sum\" data-t=\"captured\">Captured</th>\n<th scope=\"col\""
    " class=\"sum\" data-t=\"refunded\">Refunded</th>\n<th scope=\"col\" data"
    "-t=\"changed\">Changed</th>\n<th scope=\"col\" data-t=\"attention\">Need"
    "s attention</th>\n</tr></thead>\n<tbody id=\"rows\"></tbody>\n</table>\n"
    "</div>\n<p class=\"buttons\">\n<button type=\"button\" id=\"more\" data-"
    "t=\"more\" hidden>Show more</button>\n<a id=\"csv\" href=\"orders\?forma"
    "t=csv\" download=\"orders.csv\" data-t=\"csv\">Save as CSV</a>\n</p>\n</"
    "section>\n\n<section id=\"one\" aria-labelledby=\"one-title\" hidden>\n<"
    "p><a href=\"#\" id=\"back\" data-t=\"back\">Back to the list</a></p>\n<h"
    "2 id=\"one-title\" tabindex=\"-1\"></h2>\n<dl id=\"facts\"></dl>\n<p id="
    "\"actions\" class=\"buttons\"></p>\n<h3 id=\"history-title\" data-t=\"hi"
    "story\">History</h3>\n<div class=\"wide\" tabindex=\"0\" role=\"region\""
    " aria-labelledby=\"history-title\">\n<table>\n<thead><tr>\n<th scope=\"c"
    "ol\" data-t=\"at\">When</th>\n<th scope=\"col\" data-t=\"what\">What</th"
    ">\n<th scope=\"col\" data-t=\"by\">By</th>\n<th scope=\"col\" class=\"su"
    "m\" data-t=\"amount\">Amount</th>\n<th scope=\"col\" data-t=\"result\">R"
    "esult</th>\n<th scope=\"col\" data-t=\"reason\">Reason</th>\n<th scope="
    "\"col\" data-t=\"id\">Request</th>\n</tr></thead>\n<tbody id=\"events\">"
    "</tbody>\n</table>\n</div>\n</section>\n</main>\n\n<dialog id=\"dialog\""
    " aria-labelledby=\"dialog-title\">\n<form id=\"act\" method=\"dialog\" n"
    "ovalidate>\n<h2 id=\"dialog-title\"></h2>\n<div id=\"fields\">\n<label i"
    "d=\"amount-field\"><span id=\"amount-label\"></span>\n<input name=\"amou"
    "nt\" inputmode=\"decimal\" autocomplete=\"off\"></label>\n<label><span d"
    "ata-t=\"reason\">Reason</span>\n<input name=\"reason\" maxlength=\"200\""
    " autocomplete=\"off\"></label>\n</div>\n<p id=\"confirm\"></p>\n<p id=\""
    "refused\" role=\"alert\"></p>\n<p class=\"buttons\">\n<button type=\"sub"
    "mit\" id=\"go\"></button>\n<button type=\"button\" id=\"stop\" data-t=\""
    "stop\">Cancel</button>\n</p>\n</form>\n</dialog>\n</body>\n</html>\n");


#endif /* _NGX_HTTP_PAYER_OFFICE_HTML_H_INCLUDED_ */
