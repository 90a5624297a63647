
/*
 * office/office.css, made by tools/office-files.
 */


#ifndef _NGX_HTTP_PAYER_OFFICE_CSS_H_INCLUDED_
#define _NGX_HTTP_PAYER_OFFICE_CSS_H_INCLUDED_


static ngx_str_t  ngx_http_payer_office_css = ngx_string(
    ":root {\n    color-scheme: light;\n    --ink: #1c1f23;\n    --soft: #565"
    "d66;\n    --line: #c5cad1;\n    --paper: #fff;\n    --shade: #f3f5f7;\n "
    "   --blue: #0b57a4;\n    --red: #a1141b;\n    --warn: #fff1c9;\n}\n\n* {"
    "\n    box-sizing: border-box;\n}\n\n[hidden] {\n    display: none !impor"
    "tant;\n}\n\nbody {\n    max-width: 76rem;\n    margin: 0 auto;\n    padd"
    "ing: 0 1rem 3rem;\n    background: var(--paper);\n    color: var(--ink);"
    "\n    font: 1rem/1.5 system-ui, sans-serif;\n}\n\nheader {\n    display:"
    " flex;\n    flex-wrap: wrap;\n    gap: .5rem 1.5rem;\n    align-items: c"
    "enter;\n    border-bottom: 1px solid var(--line);\n}\n\nh1 {\n    margin"
    ": .75rem auto .75rem 0;\n    font-size: 1.35rem;\n}\n\nh2 {\n    margin:"
    " 1.25rem 0 .75rem;\n    font-size: 1.2rem;\n    overflow-wrap: anywhere;"
    "\n}\n\nh3 {\n    margin: 1.5rem 0 .5rem;\n    font-size: 1.05rem;\n}\n\n"
    "#who {\n    margin: 0;\n    color: var(--soft);\n    overflow-wrap: anyw"
    "here;\n}\n\n#banner {\n    padding: .5rem 1rem;\n    border: 2px solid #"
    "8a6100;\n    background: var(--warn);\n    font-weight: 600;\n}\n\n#stat"
    "us:empty,\n#alert:empty,\n#refused:empty,\n#confirm:empty {\n    margin:"
    " 0;\n}\n\n#alert:not(:empty),\n#refused:not(:empty) {\n    padding: .5re"
    "m 1rem;\n    border-left: 4px solid var(--red);\n    background: #fdeeee"
    ";\n    color: var(--red);\n    overflow-wrap: anywhere;\n}\n\nform#filte"
    "r {\n    display: flex;\n    flex-wrap: wrap;\n    gap: .75rem 1rem;\n  "
    "  align-items: end;\n    margin-bottom: 1rem;\n}\n\nlabel span {\n    di"
    "splay: block;\n    color: var(--soft);\n    font-size: .875rem;\n}\n\nla"
    "bel.check {\n    display: flex;\n    gap: .5rem;\n    align-items: cente"
    "r;\n    min-height: 2.75rem;\n}\n\ninput,\nselect,\nbutton {\n    min-he"
    "ight: 2.75rem;\n    padding: .25rem .75rem;\n    border: 1px solid #6f77"
    "82;\n    border-radius: .25rem;\n    background: var(--paper);\n    colo"
    "r: var(--ink);\n    font: inherit;\n}\n\ninput[type=\"checkbox\"] {\n   "
    " width: 1.25rem;\n    min-height: 1.25rem;\n}\n\nbutton {\n    cursor: p"
    "ointer;\n}\n\nbutton[type=\"submit\"] {\n    border-color: var(--blue);"
    "\n    background: var(--blue);\n    color: #fff;\n}\n\nbutton.danger {\n"
    "    border-color: var(--red);\n    color: var(--red);\n}\n\nbutton[disab"
    "led] {\n    border-color: var(--line);\n    background: var(--shade);\n "
    "   color: var(--soft);\n    cursor: default;\n}\n\n:focus-visible {\n   "
    " outline: 3px solid var(--blue);\n    outline-offset: 2px;\n}\n\na {\n  "
    "  color: var(--blue);\n}\n\n.buttons {\n    display: flex;\n    flex-wra"
    "p: wrap;\n    gap: .75rem 1rem;\n    align-items: center;\n}\n\n.wide {"
    "\n    overflow-x: auto;\n}\n\ntable {\n    width: 100%;\n    border-coll"
    "apse: collapse;\n}\n\nth,\ntd {\n    padding: .5rem .75rem .5rem 0;\n   "
    " border-bottom: 1px solid var(--line);\n    text-align: left;\n    verti"
    "cal-align: top;\n    overflow-wrap: anywhere;\n}\n\nth {\n    color: var"
    "(--soft);\n    font-size: .875rem;\n    font-weight: 600;\n}\n\n.sum {\n"
    "    text-align: right;\n    font-variant-numeric: tabular-nums;\n    whi"
    "te-space: nowrap;\n}\n\ntd.attention {\n    color: var(--red);\n    font"
    "-weight: 600;\n}\n\ndl {\n    display: grid;\n    grid-template-columns:"
    " repeat(auto-fill, minmax(11rem, 1fr));\n    gap: .75rem 1.5rem;\n    ma"
    "rgin: 0;\n}\n\ndt {\n    color: var(--soft);\n    font-size: .875rem;\n}"
    "\n\ndd {\n    margin: 0;\n    overflow-wrap: anywhere;\n}\n\ndialog {\n "
    "   width: min(32rem, calc(100vw - 2rem));\n    border: 1px solid var(--l"
    "ine);\n    border-radius: .5rem;\n}\n\ndialog::backdrop {\n    backgroun"
    "d: rgb(0 0 0 / 45%);\n}\n\ndialog label {\n    display: block;\n    marg"
    "in: .75rem 0;\n}\n\ndialog input {\n    width: 100%;\n}\n\n#confirm {\n "
    "   font-size: 1.1rem;\n    font-weight: 600;\n    overflow-wrap: anywher"
    "e;\n}\n\n@media (max-width: 40rem) {\n    form#filter label {\n        f"
    "lex: 1 1 100%;\n    }\n\n    form#filter input:not([type=\"checkbox\"]),"
    "\n    form#filter select,\n    form#filter button {\n        width: 100%"
    ";\n    }\n\n    thead {\n        position: absolute;\n        width: 1px"
    ";\n        height: 1px;\n        overflow: hidden;\n        clip-path: i"
    "nset(50%);\n    }\n\n    tr {\n        display: block;\n        padding:"
    " .5rem 0;\n        border-bottom: 1px solid var(--line);\n    }\n\n    t"
    "d {\n        display: flex;\n        gap: 1rem;\n        justify-content"
    ": space-between;\n        padding: .15rem 0;\n        border: 0;\n      "
    "  text-align: right;\n        white-space: normal;\n    }\n\n    td:empt"
    "y {\n        display: none;\n    }\n\n    td::before {\n        content:"
    " attr(data-label);\n        flex: none;\n        color: var(--soft);\n  "
    "      text-align: left;\n    }\n}\n");


#endif /* _NGX_HTTP_PAYER_OFFICE_CSS_H_INCLUDED_ */
