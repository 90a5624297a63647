
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
    "header>\n<p id=\"banner\" hidden></p>\n<h1 data-t=\"title\">Payments</h1"
    ">\n<p id=\"who\"></p>\n<button type=\"button\" id=\"language\" lang=\"sv"
    "\">Svenska</button>\n</header>\n<p id=\"status\" role=\"status\"></p>\n<"
    "p id=\"alert\" role=\"alert\"></p>\n<main>\n<noscript><p>This page needs"
    " JavaScript. Sidan beh\303\266ver JavaScript.</p></noscript>\n\n<section"
    " id=\"list\">\n<h2 id=\"list-title\" data-t=\"orders\">Orders</h2>\n<for"
    "m id=\"filter\">\n<label><span data-t=\"search\">Order or payment begins"
    " with</span>\n<input name=\"q\" maxlength=\"255\" autocomplete=\"off\" s"
    "pellcheck=\"false\"></label>\n<label><span data-t=\"state\">State</span>"
    "\n<select name=\"state\"><option value=\"\" data-t=\"all\">All</option><"
    "/select></label>\n<label><span data-t=\"from\">Changed from</span>\n<inp"
    "ut name=\"from\" type=\"date\"></label>\n<label><span data-t=\"to\">to</"
    "span>\n<input name=\"to\" type=\"date\"></label>\n<label class=\"check\""
    "><input name=\"attention\" type=\"checkbox\" value=\"1\">\n<span data-t="
    "\"attention\">Needs attention</span></label>\n<button type=\"submit\" da"
    "ta-t=\"show\">Show</button>\n</form>\n<div class=\"wide\" tabindex=\"0\""
    " role=\"region\" aria-labelledby=\"list-title\">\n<table>\n<thead><tr>\n"
    "<th scope=\"col\" data-t=\"order\">Order</th>\n<th scope=\"col\" data-t="
    "\"state\">State</th>\n<th scope=\"col\" class=\"sum\" data-t=\"amount\">"
    "Amount</th>\n<th scope=\"col\" class=\"sum\" data-t=\"captured\">Capture"
    "d</th>\n<th scope=\"col\" class=\"sum\" data-t=\"refunded\">Refunded</th"
    ">\n<th scope=\"col\" data-t=\"changed\">Changed</th>\n<th scope=\"col\" "
    "data-t=\"attention\">Needs attention</th>\n</tr></thead>\n<tbody id=\"ro"
    "ws\"></tbody>\n</table>\n</div>\n<p class=\"buttons\">\n<button type=\"b"
    "utton\" id=\"more\" data-t=\"more\" hidden>Show more</button>\n<a id=\"c"
    "sv\" href=\"orders\?format=csv\" download=\"orders.csv\" data-t=\"csv\">"
    "Save as CSV</a>\n</p>\n</section>\n\n<section id=\"one\" hidden>\n<p><a "
    "href=\"#\" id=\"back\" data-t=\"back\">Back to the list</a></p>\n<h2 id="
    "\"one-title\" tabindex=\"-1\"></h2>\n<dl id=\"facts\"></dl>\n<p id=\"act"
    "ions\" class=\"buttons\"></p>\n<h3 id=\"history-title\" data-t=\"history"
    "\">History</h3>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria"
    "-labelledby=\"history-title\">\n<table>\n<thead><tr>\n<th scope=\"col\" "
    "data-t=\"at\">When</th>\n<th scope=\"col\" data-t=\"what\">What</th>\n<t"
    "h scope=\"col\" data-t=\"by\">By</th>\n<th scope=\"col\" class=\"sum\" d"
    "ata-t=\"amount\">Amount</th>\n<th scope=\"col\" data-t=\"result\">Result"
    "</th>\n<th scope=\"col\" data-t=\"reason\">Reason</th>\n<th scope=\"col"
    "\" data-t=\"id\">Request</th>\n</tr></thead>\n<tbody id=\"events\"></tbo"
    "dy>\n</table>\n</div>\n</section>\n</main>\n\n<dialog id=\"dialog\" aria"
    "-labelledby=\"dialog-title\">\n<form id=\"act\" method=\"dialog\" novali"
    "date>\n<h2 id=\"dialog-title\"></h2>\n<div id=\"fields\">\n<label id=\"a"
    "mount-field\"><span id=\"amount-label\"></span>\n<input name=\"amount\" "
    "inputmode=\"decimal\" autocomplete=\"off\"></label>\n<label id=\"outcome"
    "-field\"><span data-t=\"outcome\">What Payer says</span>\n<select name="
    "\"outcome\"></select></label>\n<label><span data-t=\"reason\">Reason</sp"
    "an>\n<input name=\"reason\" maxlength=\"200\" autocomplete=\"off\"></lab"
    "el>\n</div>\n<p id=\"confirm\"></p>\n<p id=\"refused\" role=\"alert\"></"
    "p>\n<p class=\"buttons\">\n<button type=\"submit\" id=\"go\"></button>\n"
    "<button type=\"button\" id=\"stop\" data-t=\"stop\">Close</button>\n</p>"
    "\n</form>\n</dialog>\n</body>\n</html>\n");


#endif /* _NGX_HTTP_PAYER_OFFICE_HTML_H_INCLUDED_ */
