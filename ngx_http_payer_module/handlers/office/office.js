'use strict';

(() => {
const words = {
    en: {
        title: 'Payments', orders: 'Orders', other: 'Svenska',
        search: 'Order or payment begins with', state: 'State', all: 'All',
        from: 'Changed from', to: 'to', attention: 'Needs attention',
        show: 'Show', order: 'Order', amount: 'Amount',
        captured: 'Captured', refunded: 'Refunded', changed: 'Changed',
        more: 'Show more', csv: 'Save as CSV', back: 'Back to the list',
        history: 'History', at: 'When', what: 'What', by: 'By',
        result: 'Result', reason: 'Reason', id: 'Request', stop: 'Close',
        payment: 'Payment', authorized: 'Authorized', created: 'Created',
        outcome: 'What Payer says', one: 'Order {0}',
        count: '{0} orders are shown', count_one: '1 order is shown',
        none: 'No order was found', loading: 'Loading',
        you: 'You are {0}.', look: 'You can look, and change nothing.',
        test: 'Test: no money moves here ({0}).',
        simulated: 'This is not the live host of Payer ({0}).',
        lost: 'You are not logged in any more. Reload the page.',
        offline: 'The server cannot be reached. Try again.',
        next: 'Continue', yes: 'Yes, {0}', done: '{0}: done.',
        again: 'The outcome is not known yet. Try again: it is done once.',
        bad: 'This is not an amount in {0}.',
        most: 'Amount in {0}, {1} at most',
        ask: '{0} {1} of order {2}?', asked: '{0}: order {1}?',
        settled: 'Order {0}: {1}. Is this what Payer has told you?',
        was_done: '{0} {1} was done', was_not: '{0} {1} was not done',
        dead: 'The link cannot be paid any more',
        result_done: 'done', result_refused: 'refused',
        result_unknown: 'not known', result_sent: 'in progress',
        result_created: 'made', result_taken: 'taken by the shop',
        result_owed: 'not taken yet', result_given_up: 'given up',
        result_conflict: 'not sent, the shop disagrees',
        result_dead: 'link is dead',
        capture: 'Capture', release: 'Release', refund: 'Refund',
        cancel: 'Cancel the link', read: 'Read from Payer',
        reopen: 'Allow payment again', settle: 'Settle the outcome',
        erase: 'Erase personal data', notify: 'Notify the shop',
        what_link: 'Link', what_read: 'Read', what_event: 'Event',
        what_notification: 'Notification', what_capture: 'Capture',
        what_release: 'Release', what_refund: 'Refund',
        what_cancel: 'Cancellation', what_reopen: 'Payment allowed again',
        what_settle: 'Outcome settled', what_erase: 'Data erased',
        what_notify: 'Shop notified again',
        told_paid: 'paid', told_captured: 'captured',
        told_released: 'released', told_refunded: 'refunded',
        told_cancelled: 'cancelled', told_expired: 'expired',
        creating: 'being created', initiated: 'link sent',
        authorized_state: 'authorized',
        partially_captured: 'captured in part',
        fully_captured: 'captured', cancelled: 'cancelled',
        released: 'released', refunded_state: 'refunded', ended: 'ended',
        expired: 'expired', unknown_outcome: 'outcome unknown',
        old_authorization: 'authorization is old',
        cancelled_but_authorized: 'cancelled, but authorized',
        amount_differs: 'amount differs',
        notification_owed: 'shop not notified',
        notification_conflict: 'shop disagrees'
    },
    sv: {
        title: 'Betalningar', orders: 'Ordrar', other: 'English',
        search: 'Order eller betalning börjar med', state: 'Status',
        all: 'Alla', from: 'Ändrad från', to: 'till',
        attention: 'Behöver ses över', show: 'Visa', order: 'Order',
        amount: 'Belopp', captured: 'Debiterat', refunded: 'Återbetalat',
        changed: 'Ändrad', more: 'Visa fler', csv: 'Spara som CSV',
        back: 'Tillbaka till listan', history: 'Historik', at: 'När',
        what: 'Vad', by: 'Av', result: 'Resultat', reason: 'Anledning',
        id: 'Anrop', stop: 'Stäng', payment: 'Betalning',
        authorized: 'Reserverat', created: 'Skapad',
        outcome: 'Vad Payer säger', one: 'Order {0}',
        count: '{0} ordrar visas', count_one: '1 order visas',
        none: 'Ingen order hittades', loading: 'Hämtar',
        you: 'Du är {0}.', look: 'Du kan titta, men inte ändra något.',
        test: 'Test: här flyttas inga pengar ({0}).',
        simulated: 'Det här är inte Payers skarpa miljö ({0}).',
        lost: 'Du är inte längre inloggad. Ladda om sidan.',
        offline: 'Servern svarar inte. Försök igen.',
        next: 'Fortsätt', yes: 'Ja, {0}', done: '{0}: klart.',
        again: 'Utfallet är inte känt än. Försök igen: det görs en gång.',
        bad: 'Det är inte ett belopp i {0}.',
        most: 'Belopp i {0}, högst {1}',
        ask: '{0} {1} för order {2}?', asked: '{0}: order {1}?',
        settled: 'Order {0}: {1}. Har Payer gett dig det beskedet?',
        was_done: '{0} {1} är genomförd',
        was_not: '{0} {1} är inte genomförd',
        dead: 'Länken kan inte längre betalas',
        result_done: 'klart', result_refused: 'nekat',
        result_unknown: 'okänt', result_sent: 'pågår',
        result_created: 'skapad', result_taken: 'mottaget av butiken',
        result_owed: 'inte mottaget än', result_given_up: 'har getts upp',
        result_conflict: 'inte skickat, butiken säger annat',
        result_dead: 'länken är död',
        capture: 'Debitera', release: 'Frigör reservationen',
        refund: 'Återbetala', cancel: 'Annullera länken',
        read: 'Hämta från Payer', reopen: 'Tillåt betalning igen',
        settle: 'Avgör utfallet', erase: 'Radera personuppgifter',
        notify: 'Meddela butiken',
        what_link: 'Länk', what_read: 'Avläsning', what_event: 'Händelse',
        what_notification: 'Meddelande', what_capture: 'Debitering',
        what_release: 'Frigöring', what_refund: 'Återbetalning',
        what_cancel: 'Annullering', what_reopen: 'Betalning tillåten igen',
        what_settle: 'Utfall avgjort', what_erase: 'Uppgifter raderade',
        what_notify: 'Butiken meddelad igen',
        told_paid: 'betald', told_captured: 'debiterad',
        told_released: 'frigjord', told_refunded: 'återbetald',
        told_cancelled: 'annullerad', told_expired: 'utgången',
        creating: 'skapas', initiated: 'länk skickad',
        authorized_state: 'reserverad',
        partially_captured: 'delvis debiterad',
        fully_captured: 'debiterad', cancelled: 'annullerad',
        released: 'frigjord', refunded_state: 'återbetald',
        ended: 'upphörd', expired: 'utgången',
        unknown_outcome: 'okänt utfall',
        old_authorization: 'gammal reservation',
        cancelled_but_authorized: 'annullerad, men reserverad',
        amount_differs: 'beloppet stämmer inte',
        notification_owed: 'butiken har inte meddelats',
        notification_conflict: 'butiken säger annat'
    }
};

const states = ['creating', 'initiated', 'authorized', 'partially_captured',
    'fully_captured', 'cancelled', 'released', 'refunded', 'ended',
    'expired'];

const $ = (id) => document.getElementById(id);

let lang = 'en';
let session = { operate: false, decimals: {} };
let order = null;
let next = null;
let shown = 0;
let job = null;


/* Names come from Payer, too, so one may be of what all objects have. */

const word = (name) =>
    Object.hasOwn(words[lang], name) ? words[lang][name] : undefined;

const t = (name, ...values) => {
    const text = word(name) ?? name;
    return text.replace(/\{(\d)\}/g, (all, n) => String(values[n] ?? ''));
};

const stateName = (state) =>
    t(state === 'authorized' || state === 'refunded' ? state + '_state'
        : state);

const resultName = (result) =>
    word('result_' + result) ?? stateName(result);

const whatName = (what) => word('what_' + what) ?? what;

/* A notification has its type where others have the person. */

const byName = (e) => e.what === 'notification'
    ? word('told_' + e.by) ?? e.by : e.by;


/* Amounts are whole numbers of minor units, and never computed otherwise. */

const decimals = (currency) =>
    Object.hasOwn(session.decimals, currency) ? session.decimals[currency] : 2;

const plain = (minor, currency) => {
    const n = decimals(currency);
    const text = String(minor).padStart(n + 1, '0');
    const whole = text.slice(0, text.length - n)
        .replace(/\B(?=(\d{3})+$)/g, '\u00a0');

    return n ? whole + (lang === 'sv' ? ',' : '.') + text.slice(-n) : whole;
};

const money = (minor, currency) =>
    minor === null || minor === undefined || !currency ? ''
        : plain(minor, currency) + '\u00a0' + currency;

const minorOf = (text, currency) => {
    const n = decimals(currency);
    const parts = /^(\d{1,13})(?:[.,](\d+))?$/
        .exec(text.replace(/[\s\u00a0]/g, ''));

    if (!parts || (parts[2] ?? '').length > n) {
        return null;
    }

    const minor = Number(parts[1] + (parts[2] ?? '').padEnd(n, '0'));

    return minor > 0 && Number.isSafeInteger(minor) ? minor : null;
};

const when = (text) => text
    ? new Date(text).toLocaleString(lang === 'sv' ? 'sv-SE' : 'en-GB') : '';


/* Whatever a buyer or the shop has written becomes text, never markup. */

const element = (name, text, props) =>
    Object.assign(document.createElement(name),
        { textContent: text ?? '' }, props);

const cell = (label, text, kind) => {
    const td = element('td', text, { className: kind ?? '' });
    td.dataset.label = t(label);
    return td;
};


/* The address of the page may have a name and a password, which no other
 * request takes. */

const place = (path) =>
    new URL(path, location.origin + location.pathname).href;

async function ask(path, body) {
    let answer;

    try {
        answer = await fetch(place(path), body === undefined
            ? { credentials: 'same-origin', redirect: 'error' }
            : {
                method: 'POST',
                credentials: 'same-origin',
                redirect: 'error',
                headers: {
                    'Content-Type': 'application/json',
                    'Idempotency-Key': job.key,
                    'X-Payer-Office': '1'
                },
                body: JSON.stringify(body)
            });
    } catch {
        return { problem: t('offline') };
    }

    const type = answer.headers.get('Content-Type') ?? '';

    if (answer.status === 401
        || (answer.status === 403 && !type.includes('json')))
    {
        return { problem: t('lost') };
    }

    const data = type.includes('json')
        ? await answer.json().catch(() => null) : null;

    if (answer.ok) {
        return { data };
    }

    if (answer.status === 504) {
        return { problem: t('again') };
    }

    return {
        problem: [data?.title, data?.detail, data?.message]
            .filter(Boolean).join(': ') || String(answer.status)
    };
}


function translate() {
    document.documentElement.lang = lang;
    document.title = t('title');

    for (const node of document.querySelectorAll('[data-t]')) {
        node.textContent = t(node.dataset.t);
    }

    for (const option of $('filter').state.options) {
        option.textContent = option.value ? stateName(option.value)
            : t('all');
    }

    $('language').textContent = t('other');
    $('language').lang = lang === 'sv' ? 'en' : 'sv';

    $('who').textContent = [
        session.actor ? t('you', session.actor) : '',
        session.operate ? '' : t('look')
    ].join(' ').trim();

    $('banner').hidden = !session.mode || session.mode === 'live';
    $('banner').textContent = t(session.mode === 'test' ? 'test'
        : 'simulated', session.host);
}


/* Days are those of whoever looks. */

function query() {
    const form = new FormData($('filter'));
    const args = new URLSearchParams();

    for (const [name, value] of form) {
        if (value && name !== 'from' && name !== 'to') {
            args.set(name, value);
        }
    }

    const day = (name, more) => {
        if (form.get(name)) {
            const [y, m, d] = form.get(name).split('-').map(Number);
            args.set(name, new Date(y, m - 1, d + more).getTime() / 1000);
        }
    };

    day('from', 0);
    day('to', 1);

    return args;
}


async function list(after) {
    const args = query();

    $('csv').href = 'orders?' + new URLSearchParams([...args,
        ['format', 'csv'], ['limit', '500']]);

    if (after) {
        args.set('after', after);
    } else {
        shown = 0;
    }

    $('alert').textContent = '';
    $('status').textContent = t('loading');

    let { data, problem } = await ask('orders?' + args);

    /* A page may be empty while there are more: so many are looked at. */

    for (let n = 1; n < 20 && data?.next && !data.orders.length; n++) {
        args.set('after', data.next);
        ({ data, problem } = await ask('orders?' + args));
    }

    $('status').textContent = '';

    if (problem) {
        $('alert').textContent = problem;
        return;
    }

    if (!after) {
        $('rows').replaceChildren();
    }

    for (const one of data.orders) {
        $('rows').append(row(one));
    }

    shown += data.orders.length;
    next = data.next;
    $('more').hidden = !next;
    $('status').textContent = !shown ? t('none')
        : t(shown === 1 ? 'count_one' : 'count', shown);
}


function row(one) {
    const tr = element('tr');
    const first = cell('order');

    first.append(element('a', one.reference,
        { href: '#' + encodeURIComponent(one.reference) }));

    tr.append(first, cell('state', stateName(one.state)),
        cell('amount', money(one.amount, one.currency), 'sum'),
        cell('captured', money(one.capturedAmount, one.currency), 'sum'),
        cell('refunded', money(one.refundedAmount, one.currency), 'sum'),
        cell('changed', when(one.updated)),
        cell('attention', one.attention.map((a) => t(a)).join(', '),
            'attention'));

    return tr;
}


async function open(reference) {
    $('alert').textContent = '';
    $('status').textContent = t('loading');

    const { data, problem } = await ask('order?'
        + new URLSearchParams({ reference }));

    $('status').textContent = '';

    if (problem) {
        $('alert').textContent = problem;
        return;
    }

    order = data;
    draw();
    $('list').hidden = true;
    $('one').hidden = false;
    $('one-title').focus();
}


function draw() {
    const { currency } = order;

    $('one-title').textContent = t('one', order.reference);

    const facts = [
        ['state', stateName(order.state)],
        ['amount', money(order.amount, currency)],
        ['authorized', money(order.authorizedAmount, currency)],
        ['captured', money(order.capturedAmount, currency)],
        ['refunded', money(order.refundedAmount, currency)],
        ['payment', order.paymentId], ['created', when(order.created)],
        ['changed', when(order.updated)],
        ['attention', order.attention.map((a) => t(a)).join(', ')]
    ];

    $('facts').replaceChildren(...facts.filter(([, v]) => v)
        .map(([name, value]) => {
            const div = element('div');
            div.append(element('dt', t(name)), element('dd', value));
            return div;
        }));

    $('events').replaceChildren(...order.history.map((e) => {
        const tr = element('tr');
        tr.append(cell('at', when(e.at)), cell('what', whatName(e.what)),
            cell('by', byName(e)), cell('amount', money(e.amount, currency),
                'sum'),
            cell('result', resultName(e.result ?? '')),
            cell('reason', e.reason), cell('id', e.requestId));
        return tr;
    }));

    $('actions').replaceChildren(...possible().map((name) => {
        const button = element('button', t(name), {
            type: 'button',
            className: ['capture', 'read', 'notify'].includes(name) ? ''
                : 'danger'
        });
        button.addEventListener('click', () => start(name));
        return button;
    }));
}


function possible() {
    if (!session.operate) {
        return [];
    }

    const money = {
        initiated: ['cancel'],
        authorized: ['capture', 'release'],
        partially_captured: ['capture', 'release', 'refund'],
        fully_captured: ['refund']
    };
    const over = ['cancelled', 'released', 'refunded', 'ended'];

    return [
        ...money[order.state] ?? [],
        ...over.includes(order.state) ? ['reopen'] : [],
        ...order.paymentId ? ['read'] : [],
        ...outcomes().length ? ['settle'] : [],
        ...order.history.some((e) => e.what === 'notification')
            ? ['notify'] : [],
        'erase'
    ];
}


/* What somebody who has asked Payer may say: how an operation went whose
 * outcome is not known, or that a link cannot be paid any more. */

function outcomes() {
    const unknown = ['capture', 'release', 'refund', 'cancel'];
    const list = [];

    for (const e of order.history) {
        if (!unknown.includes(e.what) || !e.requestId
            || !['unknown', 'sent'].includes(e.result))
        {
            continue;
        }

        for (const [outcome, text] of [['done', 'was_done'],
            ['refused', 'was_not']])
        {
            list.push({
                body: { operation: e.requestId, outcome },
                text: t(text, whatName(e.what), money(e.amount,
                    order.currency)).replace(/\s+/g, ' ')
            });
        }
    }

    if (['creating', 'initiated', 'expired'].includes(order.state)) {
        list.push({ body: { outcome: 'dead' }, text: t('dead') });
    }

    return list;
}


function most(name) {
    const captured = order.capturedAmount ?? 0;

    return name === 'refund' ? captured - (order.refundedAmount ?? 0)
        : (order.authorizedAmount ?? order.amount) - captured;
}


/* crypto.randomUUID() is there over https only. */

const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)),
    (byte) => byte.toString(16).padStart(2, '0')).join('');


/* Each dialog is one operation: a second try has the same key. */

function start(name) {
    const form = $('act');
    const sum = name === 'capture' || name === 'refund';

    job = { name, key: newKey(), step: 'fields', sum,
        outcomes: name === 'settle' ? outcomes() : [] };

    $('dialog-title').textContent = t(name);
    $('amount-field').hidden = !sum;
    $('amount-label').textContent = t('most', order.currency,
        plain(most(name), order.currency));
    form.amount.value = plain(most(name), order.currency);
    form.reason.value = '';
    $('outcome-field').hidden = !job.outcomes.length;
    form.outcome.replaceChildren(...job.outcomes.map((one, n) =>
        element('option', one.text, { value: n })));
    step('fields');
    $('dialog').showModal();
}


function step(name) {
    job.step = name;
    $('fields').hidden = name !== 'fields';
    $('confirm').textContent = '';
    $('refused').textContent = '';
    $('go').textContent = t('next');
    $('go').disabled = false;
}


function check() {
    const form = $('act');

    job.body = { reference: order.reference, paymentId: order.paymentId };

    if (form.reason.value.trim()) {
        job.body.reason = form.reason.value.trim();
    }

    if (job.sum) {
        job.body.amount = minorOf(form.amount.value, order.currency);

        if (job.body.amount === null) {
            $('refused').textContent = t('bad', order.currency);
            form.amount.focus();
            return;
        }
    }

    const said = job.outcomes[form.outcome.value];

    if (said) {
        Object.assign(job.body, said.body);
    }

    step('confirm');

    $('confirm').textContent = job.sum
        ? t('ask', t(job.name), money(job.body.amount, order.currency),
            order.reference)
        : said ? t('settled', order.reference, said.text)
            : t('asked', t(job.name), order.reference);
    $('go').textContent = t('yes', t(job.name).replace(/^./,
        (first) => first.toLowerCase()));
    $('go').focus();
}


async function send() {
    $('go').disabled = true;
    $('refused').textContent = '';

    const { problem } = await ask('order/' + job.name, job.body);

    if (problem) {
        $('go').disabled = false;
        $('refused').textContent = problem;
        return;
    }

    /* That an outcome was open is a doubt about the order, too: only a read
     * ends it. */

    if (job.body.operation && order.paymentId) {
        const { reference, paymentId } = order;

        job.key = newKey();
        await ask('order/read', { reference, paymentId });
    }

    $('go').disabled = false;

    const done = t('done', t(job.name));

    $('dialog').close();
    await open(order.reference);
    $('status').textContent = done;
}


function route() {
    let reference = '';

    try {
        reference = decodeURIComponent(location.hash.slice(1));
    } catch {
        /* nothing that this page has written */
    }

    if (reference) {
        open(reference);
        return;
    }

    $('one').hidden = true;
    $('list').hidden = false;
    list();
}


async function begin() {
    lang = localStorage.getItem('payer-office-language')
        ?? (/^sv\b/i.test(navigator.language) ? 'sv' : 'en');

    for (const state of states) {
        $('filter').state.append(element('option', '', { value: state }));
    }

    const { data, problem } = await ask('session');

    session = data ?? session;
    translate();

    if (problem) {
        $('alert').textContent = problem;
        return;
    }

    $('language').addEventListener('click', () => {
        lang = lang === 'sv' ? 'en' : 'sv';
        localStorage.setItem('payer-office-language', lang);
        translate();
        route();
    });

    $('filter').addEventListener('submit', (e) => {
        e.preventDefault();
        list();
    });

    $('more').addEventListener('click', () => list(next));
    $('stop').addEventListener('click', () => $('dialog').close());

    $('act').addEventListener('submit', (e) => {
        e.preventDefault();
        return job.step === 'fields' ? check() : send();
    });

    addEventListener('hashchange', route);
    route();
}

begin();
})();
