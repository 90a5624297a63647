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
        result: 'Result', reason: 'Reason', id: 'Request', stop: 'Cancel',
        payment: 'Payment', authorized: 'Authorized', created: 'Created',
        one: 'Order {0}', count: '{0} orders are shown',
        none: 'No order was found', loading: 'Loading',
        you: 'You are {0}.', look: 'You can look, and change nothing.',
        test: 'Test: no money moves here ({0}).',
        simulated: 'This is not the live host of Payer ({0}).',
        lost: 'You are not logged in any more. Reload the page.',
        offline: 'The server cannot be reached. Try again.',
        next: 'Continue', yes: 'Yes, {0}', done: '{0}: done.',
        again: 'The outcome is not known yet. Try again: it happens once.',
        bad: 'This is not an amount in {0}.',
        most: 'Amount in {0}, {1} at most',
        ask: '{0} {1} of order {2}?', asked: '{0} order {1}?',
        result_done: 'done', result_refused: 'refused',
        result_unknown: 'not known', result_sent: 'in progress',
        result_created: 'made', capture: 'Capture', release: 'Release', refund: 'Refund',
        cancel: 'Cancel the link', link: 'Link', read: 'Read from Payer',
        event: 'Event', reopen: 'Sell again', settle: 'Settle',
        erase: 'Erase personal data', notify: 'Notify the shop',
        notification: 'Notification',
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
        id: 'Anrop', stop: 'Avbryt', payment: 'Betalning',
        authorized: 'Reserverat', created: 'Skapad', one: 'Order {0}',
        count: '{0} ordrar visas', none: 'Ingen order hittades',
        loading: 'Hämtar', you: 'Du är {0}.',
        look: 'Du kan titta, men inte ändra.',
        test: 'Test: här flyttas inga pengar ({0}).',
        simulated: 'Detta är inte Payers skarpa miljö ({0}).',
        lost: 'Du är inte inloggad längre. Ladda om sidan.',
        offline: 'Servern svarar inte. Försök igen.',
        next: 'Fortsätt', yes: 'Ja, {0}', done: '{0}: klart.',
        again: 'Utfallet är inte känt än. Försök igen: det sker en gång.',
        bad: 'Det är inget belopp i {0}.',
        most: 'Belopp i {0}, högst {1}',
        ask: '{0} {1} för order {2}?', asked: '{0} order {1}?',
        result_done: 'klart', result_refused: 'nekat',
        result_unknown: 'okänt', result_sent: 'pågår',
        result_created: 'skapad', capture: 'Debitera', release: 'Släpp reservationen',
        refund: 'Återbetala', cancel: 'Avbryt länken', link: 'Länk',
        read: 'Läs av hos Payer', event: 'Händelse', reopen: 'Sälj igen',
        settle: 'Avgör', erase: 'Radera personuppgifter',
        notification: 'Meddelande',
        notify: 'Meddela butiken', creating: 'skapas',
        initiated: 'länk skickad', authorized_state: 'reserverad',
        partially_captured: 'delvis debiterad',
        fully_captured: 'debiterad', cancelled: 'avbruten',
        released: 'släppt', refunded_state: 'återbetald',
        ended: 'upphörd', expired: 'utgången',
        unknown_outcome: 'okänt utfall',
        old_authorization: 'gammal reservation',
        cancelled_but_authorized: 'avbruten, men reserverad',
        amount_differs: 'beloppet skiljer sig',
        notification_owed: 'butiken är inte meddelad',
        notification_conflict: 'butiken är oense'
    }
};

const states = ['creating', 'initiated', 'authorized', 'partially_captured',
    'fully_captured', 'cancelled', 'released', 'refunded', 'ended',
    'expired'];

const $ = (id) => document.getElementById(id);

let lang = 'en';
let session = { operate: false };
let order = null;
let next = null;
let shown = 0;
let job = null;


const t = (name, ...values) => {
    const text = words[lang][name] ?? name;
    return text.replace(/\{(\d)\}/g, (all, n) => String(values[n] ?? ''));
};

const stateName = (state) =>
    t(state === 'authorized' || state === 'refunded' ? state + '_state'
        : state);

const resultName = (result) =>
    words[lang]['result_' + result] ?? stateName(result);


/* Amounts are whole numbers of minor units, and never computed otherwise. */

const decimals = (currency) =>
    new Intl.NumberFormat('en', { style: 'currency', currency })
        .resolvedOptions().maximumFractionDigits;

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
    $('status').textContent = shown ? t('count', shown) : t('none');
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
        tr.append(cell('at', when(e.at)), cell('what', t(e.what)),
            cell('by', e.by), cell('amount', money(e.amount, currency),
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
        ...order.history.some((e) => e.what === 'notification')
            ? ['notify'] : [],
        'erase'
    ];
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

    job = { name, key: newKey(), step: 'fields', sum };

    $('dialog-title').textContent = t(name);
    $('amount-field').hidden = !sum;
    $('amount-label').textContent = t('most', order.currency,
        plain(most(name), order.currency));
    form.amount.value = plain(most(name), order.currency);
    form.reason.value = '';
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

    step('confirm');

    $('confirm').textContent = job.sum
        ? t('ask', t(job.name), money(job.body.amount, order.currency),
            order.reference)
        : t('asked', t(job.name), order.reference);
    $('go').textContent = t('yes', t(job.name).toLowerCase());
    $('go').focus();
}


async function send() {
    $('go').disabled = true;
    $('refused').textContent = '';

    const { problem } = await ask('order/' + job.name, job.body);

    $('go').disabled = false;

    if (problem) {
        $('refused').textContent = problem;
        return;
    }

    const done = t('done', t(job.name));

    $('dialog').close();
    await open(order.reference);
    $('status').textContent = done;
}


function route() {
    const reference = decodeURIComponent(location.hash.slice(1));

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
