'use strict';

// NODE_OPTIONS='--require .../preload.js': what the test needs in each process
// of EverShop, which stays as it is published.

const net = require('net');

const listen = net.Server.prototype.listen;

// on the loopback only
net.Server.prototype.listen = function (port, ...rest) {
    return listen.call(this, port, '127.0.0.1', ...rest);
};

// The shop ends with whoever has started it.
if (process.env.EVERSHOP_ENDS_WITH_STDIN) {
    process.stdin.on('end', () => process.exit(0)).resume();
}
