-- Key logs of irmd (--key-log) and the keys that follow from them (doc/protocols/oap.md, section 5).
local AHEAD = 64 -- epochs that a record may be ahead of what was opened; a receiver allows no more
local TAG, HEADER = 16, 8

return function(o7s)
    local bxor = o7s.bits.bxor
    local log = {path = "", at = 0, found = {}}

    local function raw(hex)
        return (hex:gsub("%x%x", function(x) return string.char(tonumber(x, 16)) end))
    end

    local function direction(hex)
        return {secret = raw(hex), next_epoch = 0, newest = 0, ciphers = {}}
    end

    -- What was added since; a line that is not ended yet is read the next time.
    local function read_more()
        local file = io.open(log.path, "rb")
        if not file then return end
        file:seek("set", log.at)
        for line in (file:read("*a") or ""):gmatch("[^\n]*\n") do
            local id, c2s, s2c = line:match("^O7S1 (%x+) (%x+) (%x+)\r?\n$")
            if id and #id == 32 and #c2s == 96 and #s2c == 96 and not log.found[id] then
                log.found[id] = {c2s = direction(c2s), s2c = direction(s2c)}
            end
            log.at = log.at + #line
        end
        file:close()
    end

    local function keys_of(epoch_secret)
        local both = o7s.expand(epoch_secret, "o7s v1 record", 44)
        return {key = o7s.gcm.key(both:sub(1, 32)), iv = both:sub(33)}
    end

    -- The keys of an epoch. Those of earlier ones are kept: who reads a capture goes back and forth.
    local function cipher_of(dir, epoch)
        if epoch > dir.newest + AHEAD then return nil end
        while dir.next_epoch <= epoch do
            dir.ciphers[dir.next_epoch] = {secret = dir.secret}
            dir.secret = o7s.expand(dir.secret, "o7s v1 next", 48)
            dir.next_epoch = dir.next_epoch + 1
        end
        local cipher = dir.ciphers[epoch]
        cipher.keys = cipher.keys or keys_of(cipher.secret)
        return cipher.keys
    end

    local function nonce_of(iv, header)
        local nonce = {iv:sub(1, 4)}
        for i = 1, HEADER do nonce[i + 1] = string.char(bxor(iv:byte(4 + i), header:byte(i))) end
        return table.concat(nonce)
    end

    local keylog = {}

    function keylog.use(path)
        if path ~= log.path then log = {path = path, at = 0, found = {}} end
    end

    -- {c2s =, s2c =} of the handshake with that id (in hex), or nil.
    function keylog.find(id)
        if not log.found[id] and log.path ~= "" then read_more() end
        return log.found[id]
    end

    -- For tests: a direction with that secret, in hex.
    keylog.direction = direction

    -- The content of a record (strings of bytes), or nil.
    function keylog.open(dir, record)
        local header = record:sub(1, HEADER)
        local a, b, c = header:byte(2, 4)
        local epoch = (a * 256 + b) * 256 + c
        local cipher = cipher_of(dir, epoch)
        local content = cipher and o7s.gcm.open(cipher.key, nonce_of(cipher.iv, header), header,
                                                record:sub(HEADER + 1, -TAG - 1), record:sub(-TAG))
        if content then dir.newest = math.max(dir.newest, epoch) end
        return content
    end

    o7s.keylog = keylog
end
