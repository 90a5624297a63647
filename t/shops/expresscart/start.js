'use strict';

// node start.js PACKAGE PORT APIKEY
//
// Starts expressCart as it is published, with its own test data, on the
// loopback. Only its storage is replaced: mongo-mock is in the place of a
// MongoDB server, memorystore in that of the sessions in it.

const Module = require('module');
const fs     = require('fs');
const net    = require('net');
const path   = require('path');

const [ , , pack, port, key ] = process.argv;

const STORAGE = {
    'mongodb': 'mongo-mock',
    'connect-mongodb-session': 'memorystore',
};

// What an administrator sets: the payment in the store, prices in kronor.
const SETTINGS = {
    paymentGateway: 'instore',
    currencySymbol: 'kr',
    emailHost: '127.0.0.1',
    emailPort: 9,
};

const INSTORE = {
    orderStatus: 'Pending',
    buttonText: 'Place order, pay by card',
    resultMessage: 'Thank you. Your payment was received.',
};

const PRODUCT = {
    productPermalink: 'coffee',
    productTitle: 'Coffee',
    productPrice: '49.95',
    productDescription: 'Half a kilo',
    productPublished: true,
    productTags: 'coffee',
    productOptions: '',
    productStock: 100,
};


function replaceStorage() {
    const resolve = Module._resolveFilename;

    Module._resolveFilename = function (name, ...rest) {
        return resolve.call(this, STORAGE[name] || name, ...rest);
    };
}


function listenOnLoopback() {
    const listen = net.Server.prototype.listen;

    net.Server.prototype.listen = function (port, ...rest) {
        return listen.call(this, port, '127.0.0.1', ...rest);
    };
}


function settings() {
    const file = 'config/settings.json';
    const all  = Object.assign(JSON.parse(fs.readFileSync(file)), SETTINGS);

    fs.writeFileSync(file, JSON.stringify(all, null, 4));
    fs.writeFileSync('config/instore.json', JSON.stringify(INSTORE, null, 4));

    return all;
}


async function fill(db, ObjectID) {
    const data = require(path.resolve('bin/testdata.json'));
    const user = Object.assign({}, data.users[0], { apiKey: ObjectID(key) });
    const products = data.products.concat(PRODUCT).map(
        p => Object.assign({ productAddedDate: new Date() }, p));

    await db.collection('users').insertOne(user);
    await db.collection('products').insertMany(products);
    await db.collection('menu').insertOne(data.menu);
}


// The shop ends with whoever has started it.
function endWithParent() {
    process.stdin.on('end', () => process.exit(0)).resume();
}


replaceStorage();
listenOnLoopback();
endWithParent();

process.chdir(pack);
process.env.PORT = port;

// the package is found from its own directory
const own     = Module.createRequire(path.resolve('app.js'));
const storage = own('mongodb');

storage.max_delay = 0;

storage.MongoClient.connect(settings().databaseConnectionString, {},
    async (error, client) => {
        if (error) {
            throw error;
        }

        await fill(client.db('expresscart'), storage.ObjectID);
        own('./app.js');
    });
