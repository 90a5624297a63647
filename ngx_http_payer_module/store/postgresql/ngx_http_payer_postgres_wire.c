
/*
 * A connection of libpq on nginx's event loop.
 *
 * The socket is libpq's, which may replace it while it connects: nginx only
 * watches it, and lets go of it before libpq gets a chance to close it.  It is
 * watched for a level: libpq does not read to the end.
 */


#include "ngx_http_payer_postgres.h"


/* a file that does not exist, for what libpq would look up in $HOME */
#define NGX_HTTP_PAYER_POSTGRES_NO_FILE  "/dev/null/none"


static PGconn *ngx_http_payer_postgres_start(ngx_http_payer_postgres_t *pg,
    ngx_http_payer_postgres_host_t *host, char *address);
static void ngx_http_payer_postgres_poll(
    ngx_http_payer_postgres_wire_t *wire);
static void ngx_http_payer_postgres_event(ngx_event_t *ev);
static void ngx_http_payer_postgres_late(ngx_event_t *ev);
static void ngx_http_payer_postgres_notice(void *data, const PGresult *res);
static void ngx_http_payer_postgres_drop(
    ngx_http_payer_postgres_wire_t *wire);


static const char  *ngx_http_payer_postgres_modes[] = {
    "disable", "require", "verify-ca", "verify-full"
};


void
ngx_http_payer_postgres_connect(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_host_t *host, char *address)
{
    ngx_http_payer_postgres_wire_t  *wire;

    wire = ngx_calloc(sizeof(ngx_http_payer_postgres_wire_t), ngx_cycle->log);
    if (wire == NULL) {
        return;
    }

    wire->link = link;
    wire->host = host;

    ngx_queue_init(&wire->flights);
    ngx_queue_insert_tail(&link->wires, &wire->queue);

    wire->timer.handler = ngx_http_payer_postgres_late;
    wire->timer.data = wire;
    wire->timer.log = ngx_cycle->log;

    wire->conn = ngx_http_payer_postgres_start(link->pg, host, address);

    if (wire->conn == NULL) {
        ngx_http_payer_postgres_refused(wire, "no memory", 9);
        return;
    }

    if (PQstatus(wire->conn) == CONNECTION_BAD) {
        ngx_http_payer_postgres_drop(wire);
        return;
    }

    (void) PQsetNoticeReceiver(wire->conn, ngx_http_payer_postgres_notice,
                               wire);

    /* as if the poll had said that it waits to write */

    if (ngx_http_payer_postgres_watch(wire, 1) != NGX_OK) {
        ngx_http_payer_postgres_refused(wire, "no connection is free", 21);
    }
}


/*
 * Every option is given, so that neither the environment nor files in a home
 * directory have a say, and no name is looked up: that would block.
 */

static PGconn *
ngx_http_payer_postgres_start(ngx_http_payer_postgres_t *pg,
    ngx_http_payer_postgres_host_t *host, char *address)
{
    ngx_uint_t   i;
    const char  *names[32], *values[32];

    i = 0;

#define ngx_http_payer_postgres_option(name, value)                          \
    names[i] = name;                                                         \
    values[i++] = value

    ngx_http_payer_postgres_option("host", (char *) host->name.data);

    if (!host->local) {
        ngx_http_payer_postgres_option("hostaddr", address);
    }

    ngx_http_payer_postgres_option("port", (char *) host->port.data);
    ngx_http_payer_postgres_option("user", (char *) pg->user.data);
    ngx_http_payer_postgres_option("dbname", (char *) pg->database.data);

    if (pg->password.len) {
        ngx_http_payer_postgres_option("password",
                                       (char *) pg->password.data);
    }

    ngx_http_payer_postgres_option("passfile",
                                   NGX_HTTP_PAYER_POSTGRES_NO_FILE);
    ngx_http_payer_postgres_option("sslmode", host->local ? "disable"
                                   : ngx_http_payer_postgres_modes[pg->ssl]);
    ngx_http_payer_postgres_option("sslrootcert",
                                   pg->ca.len ? (char *) pg->ca.data
                                   : NGX_HTTP_PAYER_POSTGRES_NO_FILE);
    ngx_http_payer_postgres_option("sslcert",
                                   pg->cert.len ? (char *) pg->cert.data
                                   : NGX_HTTP_PAYER_POSTGRES_NO_FILE);
    ngx_http_payer_postgres_option("sslkey",
                                   pg->key.len ? (char *) pg->key.data
                                   : NGX_HTTP_PAYER_POSTGRES_NO_FILE);
    ngx_http_payer_postgres_option("sslcrl", NGX_HTTP_PAYER_POSTGRES_NO_FILE);
    ngx_http_payer_postgres_option("sslcompression", "0");
    ngx_http_payer_postgres_option("sslsni", "1");
    ngx_http_payer_postgres_option("ssl_min_protocol_version", "TLSv1.2");
    ngx_http_payer_postgres_option("gssencmode", "disable");
    ngx_http_payer_postgres_option("channel_binding", "prefer");
    ngx_http_payer_postgres_option("client_encoding", "UTF8");
    ngx_http_payer_postgres_option("application_name", "nginx payer");
    ngx_http_payer_postgres_option("target_session_attrs", "any");
    ngx_http_payer_postgres_option("keepalives", "1");
    ngx_http_payer_postgres_option("keepalives_idle", "10");
    ngx_http_payer_postgres_option("keepalives_interval", "3");
    ngx_http_payer_postgres_option("keepalives_count", "3");
    ngx_http_payer_postgres_option("tcp_user_timeout", "10000");
    ngx_http_payer_postgres_option("replication", "false");

#undef ngx_http_payer_postgres_option

    names[i] = NULL;
    values[i] = NULL;

    return PQconnectStartParams(names, values, 0);
}


static void
ngx_http_payer_postgres_poll(ngx_http_payer_postgres_wire_t *wire)
{
    ngx_int_t                  rc;
    PostgresPollingStatusType  status;

    ngx_http_payer_postgres_unwatch(wire);

    status = PQconnectPoll(wire->conn);

    if (status == PGRES_POLLING_FAILED) {
        ngx_http_payer_postgres_drop(wire);
        return;
    }

    rc = ngx_http_payer_postgres_watch(wire,
                                       status == PGRES_POLLING_WRITING);

    if (rc == NGX_OK && status == PGRES_POLLING_OK) {
        wire->connected = 1;

        rc = ngx_http_payer_postgres_ask(wire);
    }

    if (rc == NGX_ERROR) {
        ngx_http_payer_postgres_drop(wire);
    }
}


ngx_int_t
ngx_http_payer_postgres_watch(ngx_http_payer_postgres_wire_t *wire,
    ngx_uint_t write)
{
    int                fd;
    ngx_connection_t  *c;

    c = wire->c;

    if (c == NULL) {
        fd = PQsocket(wire->conn);

        c = (fd == -1) ? NULL : ngx_get_connection(fd, ngx_cycle->log);

        if (c == NULL) {
            return NGX_ERROR;
        }

        c->data = wire;
        c->idle = 1;
        c->log_error = NGX_ERROR_ERR;
        c->read->log = c->log;
        c->write->log = c->log;
        c->read->handler = ngx_http_payer_postgres_event;
        c->write->handler = ngx_http_payer_postgres_event;
        c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);

        wire->c = c;
    }

    if (!c->read->active
        && ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (write && !c->write->active) {
        return ngx_add_event(c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
    }

    if (!write && c->write->active) {
        return ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
    }

    return NGX_OK;
}


void
ngx_http_payer_postgres_unwatch(ngx_http_payer_postgres_wire_t *wire)
{
    ngx_uint_t         flags;
    ngx_connection_t  *c;

    c = wire->c;

    if (c == NULL) {
        return;
    }

    /* libpq closes the socket itself when the other side has, and then the
     * kernel has forgotten it */

    flags = (PQsocket(wire->conn) == c->fd) ? 0 : NGX_CLOSE_EVENT;

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, flags);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    c->read->closed = 1;
    c->write->closed = 1;

    ngx_free_connection(c);

    c->fd = (ngx_socket_t) -1;
    wire->c = NULL;
}


/* for both directions, as libpq may want to read before it can write */

static void
ngx_http_payer_postgres_event(ngx_event_t *ev)
{
    ngx_connection_t                *c;
    ngx_http_payer_postgres_wire_t  *wire;

    c = ev->data;
    wire = c->data;

    if (c->close) {

        /* the worker is to quit: nothing that is idle may keep it */

        c->close = 0;

        if (ngx_queue_empty(&wire->flights)) {
            ngx_http_payer_postgres_close(wire);
        }

        return;
    }

    if (!wire->connected) {
        ngx_http_payer_postgres_poll(wire);
        return;
    }

    if (ngx_http_payer_postgres_receive(wire) == NGX_OK) {
        (void) ngx_http_payer_postgres_flush(wire);
    }
}


ngx_int_t
ngx_http_payer_postgres_flush(ngx_http_payer_postgres_wire_t *wire)
{
    int         rc;
    ngx_uint_t  write;

    rc = PQflush(wire->conn);
    write = (rc == 1);

    /* what libpq could not write it hands out as the end of the connection */

    if (rc == -1
        || (wire->c != NULL && wire->c->write->active != write
            && ngx_http_payer_postgres_watch(wire, write) != NGX_OK))
    {
        ngx_http_payer_postgres_drop(wire);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* no answer in time */

static void
ngx_http_payer_postgres_late(ngx_event_t *ev)
{
    ngx_msec_t                       left;
    ngx_http_payer_postgres_wire_t  *wire;

    wire = ev->data;

    if (wire == wire->link->wire) {

        left = wire->link->writes ? ngx_http_payer_postgres_hangs(wire) : 0;

        if (left) {
            ngx_add_timer(ev, left);
            return;
        }

        ngx_http_payer_postgres_lost(wire, "no answer in time", 17);

    } else {
        ngx_http_payer_postgres_refused(wire, "no answer in time", 17);
    }
}


/*
 * A warning while calls are under way: the server has given up to wait for its
 * standby, and calls that a success.  Warnings are told by their severity, as
 * their texts are translated.  Those of a new connection are of other things,
 * such as collations or settings of the role.
 */

static void
ngx_http_payer_postgres_notice(void *data, const PGresult *res)
{
    ngx_http_payer_postgres_wire_t  *wire = data;

    char  *severity;

    severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);

    if (wire->doubt
        || wire != wire->link->wire || ngx_queue_empty(&wire->flights)
        || severity == NULL || ngx_strcmp(severity, "WARNING") != 0)
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "payer_store \"%V\": host \"%V\" warned (%s): what is being "
                  "written is in doubt",
                  &wire->link->pg->title, &wire->host->shown,
                  PQresultErrorField(res, PG_DIAG_SQLSTATE));

    wire->doubt = 1;
}


/* with the reason that libpq has */

static void
ngx_http_payer_postgres_drop(ngx_http_payer_postgres_wire_t *wire)
{
    ngx_http_payer_postgres_end(wire, PQerrorMessage(wire->conn));
}


void
ngx_http_payer_postgres_end(ngx_http_payer_postgres_wire_t *wire,
    const char *reason)
{
    if (wire == wire->link->wire) {
        ngx_http_payer_postgres_lost(wire, reason, ngx_strlen(reason));

    } else {
        ngx_http_payer_postgres_refused(wire, reason, ngx_strlen(reason));
    }
}


/* what it had sent waits again, before all others and in its order */

void
ngx_http_payer_postgres_close(ngx_http_payer_postgres_wire_t *wire)
{
    ngx_queue_t                       *q;
    ngx_http_payer_postgres_link_t    *link;
    ngx_http_payer_postgres_flight_t  *flight;

    link = wire->link;

    if (wire == link->wire) {
        link->wire = NULL;
        link->running = 0;

    } else {
        ngx_queue_remove(&wire->queue);
    }

    if (wire->timer.timer_set) {
        ngx_del_timer(&wire->timer);
    }

    ngx_http_payer_postgres_unwatch(wire);

    if (wire->conn != NULL) {
        PQfinish(wire->conn);
    }

    while (!ngx_queue_empty(&wire->flights)) {
        q = ngx_queue_last(&wire->flights);
        ngx_queue_remove(q);

        flight = ngx_queue_data(q, ngx_http_payer_postgres_flight_t, queue);

        ngx_http_payer_postgres_fail(link, flight, NULL);
    }

    ngx_free(wire);
}
