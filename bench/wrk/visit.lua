-- wrk -s visit.lua URL -- KIND START [QUOTA]
--
-- KIND     first    GET /checkout?order=N, each N once
--          again    the same, of the thousand orders behind START
--          post     the order itself, for what only proxies
--          return   GET /repeated
--          same     GET the URL itself
--          static   GET /static/file, every 5 ms
-- START    the number before the first order
-- QUOTA    all stops after so many answers of one thread
--
-- What came out is one line of names and numbers.

local ORDER = '{"amount":12900,"currencyCode":"SEK",'
    .. '"externalPaymentReference":"100000001","languageCode":"sv",'
    .. '"orderId":null,'
    .. '"redirectOnSuccessURL":"http://shop.example/thanks?order=100000001",'
    .. '"redirectOnFailURL":"http://shop.example/cart",'
    .. '"backToShopURL":"http://shop.example/cart"}'

local SIGINT = 2

local ffi = require "ffi"

ffi.cdef "int kill(int pid, int signal); int getpid(void);"

local threads = {}


function setup(thread)
    thread:set("number", #threads)
    table.insert(threads, thread)
end


-- What a thread sends next: one function for each kind.
local next_of = {}


function next_of.first()
    local parts = wrk.format(nil, "/checkout?order=@")
    local head, tail = parts:match("^(.-)@(.*)$")
    local n = start + number * 10000000

    return function ()
        n = n + 1
        return head .. n .. tail
    end
end


function next_of.again()
    local visits, n = {}, 0

    for i = 1, 1000 do
        visits[i] = wrk.format(nil, "/checkout?order=" .. start + i)
    end

    return function ()
        n = n % 1000 + 1
        return visits[n]
    end
end


local function fixed(...)
    local text = wrk.format(...)

    return function ()
        return text
    end
end


function next_of.post()
    wrk.headers["Content-Type"] = "application/json"

    return fixed("POST", wrk.path, nil, ORDER)
end


next_of["return"] = function ()
    return fixed(nil, "/repeated")
end


function next_of.same()
    return fixed(nil, wrk.path)
end


function next_of.static()
    function delay()
        return 5
    end

    return fixed(nil, "/static/file")
end


function init(args)
    local quota = tonumber(args[3])

    wrk.headers["Host"] = "shop.example"
    sent = 0
    start = tonumber(args[2])

    local visit = next_of[args[1]]()

    function request()
        sent = sent + 1
        return visit()
    end

    if quota then
        local heard = 0

        function response()
            heard = heard + 1

            if heard == quota then
                ffi.C.kill(ffi.C.getpid(), SIGINT)
            end
        end
    end
end


function done(summary, latency)
    -- wrk itself takes one, to see how many requests it holds
    local all, errors = -1, summary.errors

    for _, thread in ipairs(threads) do
        all = all + thread:get("sent")
    end

    io.write(string.format(
        "start=%d sent=%d answered=%d us=%d refused=%d broken=%d p50=%d "
        .. "p99=%d\n", threads[1]:get("start"), all, summary.requests, summary.duration, errors.status,
        errors.connect + errors.read + errors.write,
        latency:percentile(50), latency:percentile(99)))
end
