-- The checkout in Lua, for nginx's Lua module: the token and the orders are
-- kept in shared dictionaries, and one request at a time makes the link of an
-- order.

local cjson = require "cjson.safe"

local capture = ngx.location.capture
local orders = ngx.shared.orders
local tokens = ngx.shared.tokens

local CLAIM = 35            -- seconds until a claim is somebody else's
local POLL = 0.05
local PATIENCE = 30
local LINK = 30 * 24 * 3600

local _M = {}


-- the value, or nothing where another request holds the claim for too long
local function once(dict, key, make)
    local deadline = ngx.now() + PATIENCE
    local claim = "claim:" .. key

    repeat
        if dict:add(claim, true, CLAIM) then
            local value = dict:get(key) or make(key)
            dict:delete(claim)
            return value
        end

        ngx.sleep(POLL)

        local value = dict:get(key)
        if value then
            return value
        end
    until ngx.now() > deadline
end


local function fetch_token()
    local res = capture("/_payer/oauth2/token", {
        method = ngx.HTTP_POST,
        body = "grant_type=client_credentials",
    })

    local reply = res.status == 200 and not res.truncated
                  and cjson.decode(res.body)

    if not reply or not reply.access_token then
        ngx.log(ngx.ERR, "no token from Payer, status ", res.status)
        return nil
    end

    local bearer = "Bearer " .. reply.access_token
    tokens:set("bearer", bearer, (reply.expires_in or 3600) * 0.9)

    return bearer
end


local function create(reference)
    local bearer = tokens:get("bearer") or once(tokens, "bearer", fetch_token)

    if not bearer then
        return nil
    end

    local shop = ngx.var.scheme .. "://" .. ngx.var.host

    local res = capture("/_payer/api/v2/payments/cards/direct", {
        method = ngx.HTTP_POST,
        body = cjson.encode({
            amount = 12900,
            currencyCode = "SEK",
            externalPaymentReference = reference,
            languageCode = "sv",
            orderId = cjson.null,
            redirectOnSuccessURL = shop .. "/thanks?order=" .. reference,
            redirectOnFailURL = shop .. "/cart",
            backToShopURL = shop .. "/cart",
        }),
        vars = { payer_bearer = bearer },
    })

    local reply = res.status == 200 and not res.truncated
                  and cjson.decode(res.body)

    if not reply or not reply.url then
        ngx.log(ngx.ERR, "no link from Payer, status ", res.status)
        return nil
    end

    local ok, err = orders:safe_set(reference, reply.url, LINK)

    if not ok then
        ngx.log(ngx.ERR, "the link could not be stored: ", err)
        return nil
    end

    return reply.url
end


function _M.checkout()
    local reference = ngx.var.arg_order

    if not reference or reference == "" or #reference > 255 then
        return ngx.exit(400)
    end

    local url = orders:get(reference) or once(orders, reference, create)

    if not url then
        return ngx.exit(502)
    end

    return ngx.redirect(url, 303)
end


return _M
