-- Management messages of shims (doc/protocols/shim.md).
local QUERY, HERE, REQUEST, REPLY, GOT, PROVE, DONE, DEALLOC, DEALLOCATED = 1, 2, 3, 4, 5, 6, 7, 8, 9
local TYPES = {[QUERY] = "QUERY", [HERE] = "HERE", [REQUEST] = "REQUEST", [REPLY] = "REPLY", [GOT] = "GOT",
               [PROVE] = "PROVE", [DONE] = "DONE", [DEALLOC] = "DEALLOC", [DEALLOCATED] = "DEALLOCATED"}
local CODES = {[0] = "here is your flow", "name unknown", "refused", "busy", "authentication failed", "encryption failed",
               "nobody accepted in time", "clocks differ"}
local PIECES_MAX, MESSAGE_MAX, HASH_MAX, TOKEN, QOS = 64, 65535, 64, 16, 30

return function(o7s)
    local flows = o7s.flows
    local f = {
        version = ProtoField.uint8("o7s.version", "Version"),
        type = ProtoField.uint8("o7s.type", "Type", base.DEC, TYPES),
        flags = ProtoField.uint8("o7s.flags", "Flags", base.HEX),
        flag_token = ProtoField.bool("o7s.flags.token", "TOKEN", 8, nil, 0x01),
        reserved = ProtoField.uint16("o7s.reserved", "Reserved", base.HEX),
        index = ProtoField.uint8("o7s.index", "Piece"),
        count = ProtoField.uint8("o7s.count", "Pieces"),
        size = ProtoField.uint16("o7s.size", "Bytes of every piece but the last"),
        piece_len = ProtoField.uint16("o7s.piece_len", "Bytes of this piece"),
        id = ProtoField.uint64("o7s.id", "Exchange", base.HEX),
        token = ProtoField.bytes("o7s.token", "Token"),
        piece = ProtoField.bytes("o7s.piece", "Bytes of the piece"),
        padding = ProtoField.bytes("o7s.padding", "Padding"),
        message = ProtoField.bytes("o7s.message", "Message"),
        whole_in = ProtoField.framenum("o7s.whole_in", "Message is whole in"),
        eid = ProtoField.uint32("o7s.own_eid", "Endpoint id of the sender"),
        hash_len = ProtoField.uint8("o7s.hash_len", "Length of the hash"),
        hash = ProtoField.bytes("o7s.hash", "Hash of the name"),
        code = ProtoField.uint8("o7s.code", "Code", base.DEC, CODES),
        what = ProtoField.uint8("o7s.got.what", "What", base.DEC, TYPES),
        state = ProtoField.uint8("o7s.got.state", "State", base.HEX),
        complete = ProtoField.bool("o7s.got.complete", "Complete", 8, nil, 0x01),
        pieces = ProtoField.uint64("o7s.got.pieces", "Pieces that have arrived", base.HEX),
        qos = ProtoField.bytes("o7s.qos", "Quality of service"),
        delay = ProtoField.uint32("o7s.qos.delay", "Delay"),
        bandwidth = ProtoField.uint64("o7s.qos.bandwidth", "Bandwidth"),
        availability = ProtoField.uint8("o7s.qos.availability", "Availability"),
        loss = ProtoField.uint32("o7s.qos.loss", "Loss"),
        ber = ProtoField.uint32("o7s.qos.ber", "Bit error rate"),
        in_order = ProtoField.uint8("o7s.qos.in_order", "In order"),
        max_gap = ProtoField.uint32("o7s.qos.max_gap", "Largest gap"),
        timeout = ProtoField.uint32("o7s.qos.timeout", "Timeout (ms)"),
    }
    o7s.control_fields = f

    -- -- header

    -- Why a packet with that header would be refused, or nil.
    local function fault(h)
        local last = h.index + 1 == h.count
        local most = (h.type == REQUEST or h.type == REPLY) and PIECES_MAX or 1
        if h.version ~= 1 then return "unknown version" end
        if not TYPES[h.type] then return "unknown type" end
        if h.flags > 1 then return "unknown flags" end
        if h.flags == 1 and h.type ~= REQUEST and h.type ~= GOT then return "a token that has no place here" end
        if h.count == 0 or h.count > most or h.index >= h.count then return "index or count out of range" end
        if h.count == 1 then return h.size ~= 0 and "a size, and only one piece" or nil end
        if h.len == 0 or (last and h.len > h.size) or (not last and h.len ~= h.size) then return "length is not as size" end
        if (h.count - 1) * h.size + (last and h.len or 1) > MESSAGE_MAX then return "more than 65535 bytes together" end
    end

    local function add_header(c)
        local h, flags_item = {}, nil
        h.version = c:number(f.version, 1)
        h.type = c:number(f.type, 1)
        h.flags, flags_item = c:number(f.flags, 1)
        if not c.short then flags_item:add(f.flag_token, c.tvb:range(c.at - 1, 1)) end
        c:zero(f.reserved, 1)
        h.index, h.count = c:number(f.index, 1), c:number(f.count, 1)
        h.size, h.len = c:number(f.size, 2), c:number(f.piece_len, 2)
        c:zero(f.reserved, 2)
        local id = c:bytes(f.id, 8)
        h.id = id and id:bytes():tohex(true)
        if h.flags % 2 == 1 then c:bytes(f.token, TOKEN) end
        return h
    end

    local function check_padding(c, h)
        local range, item = c:bytes(f.padding, c:left())
        if not range then return true end
        if h.type ~= REQUEST then return o7s.bad(item, "bytes behind a packet that is no request") end
        if range:bytes():raw():find("[^\0]") then return o7s.bad(item, "padding that is not zeros") end
        return true
    end

    -- -- bodies

    local function add_hash(c)
        local n, item = c:number(f.hash_len, 1)
        if not c.short and (n == 0 or n > HASH_MAX) then o7s.bad(item, "a hash of that length") end
        c:bytes(f.hash, n)
    end

    local function add_qos(c)
        local tree, up = c:below(f.qos, QOS)
        local q = {}
        c:number(f.delay, 4)
        c:bytes(f.bandwidth, 8)
        c:number(f.availability, 1)
        q.loss, q.ber = c:number(f.loss, 4), c:number(f.ber, 4)
        q.in_order = c:number(f.in_order, 1)
        c:number(f.max_gap, 4)
        c:number(f.timeout, 4)
        up()
        if not c.short then
            tree:set_text("Quality of service: " .. (q.in_order == 0 and "not in order" or q.loss == 0 and "reliable" or "in order"))
        end
        return q
    end

    local function oap_part(c)
        return c:left() > 0 and c.tvb:range(c.at):tvb() or nil
    end

    local bodies = {}

    bodies[QUERY] = add_hash

    bodies[REQUEST] = function(c, pinfo, top)
        local r, item = {}, nil
        r.eid, item = c:number(f.eid, 4)
        add_hash(c)
        r.qos = add_qos(c)
        if not c:whole("a request") then return nil end
        if r.eid == 0 then o7s.bad(item, "endpoint id 0 is management") end
        if r.qos.in_order > 1 then o7s.bad(c.tree, "in_order is neither 0 nor 1") end
        local oap = oap_part(c)
        if not oap then return o7s.cut_short(c.tree, "an OAP request") end
        o7s.oap(oap, pinfo, top, false)
        r.oap_id, r.suite = o7s.oap_peek(oap:range():bytes():raw())
        c.at = c.stop
        return r.oap_id and r.eid ~= 0 and o7s.suites[r.suite] and r or nil
    end

    bodies[REPLY] = function(c, pinfo, top)
        local r, code_item, eid_item = {}, nil, nil
        r.code, code_item = c:number(f.code, 1)
        r.eid, eid_item = c:number(f.eid, 4)
        c:bytes(f.token, TOKEN)
        if not c:whole("a reply") then return nil end
        if (r.code == 0) ~= (r.eid ~= 0) then o7s.bad(eid_item, "endpoint id and code do not go together") end
        local oap = oap_part(c)
        c.at = c.stop
        if r.code == 0 then
            if oap then o7s.oap(oap, pinfo, top, true) else o7s.cut_short(c.tree, "an OAP response") end
        elseif oap then
            o7s.bad(code_item, "an OAP response with a refusal")
        end
        return r
    end

    bodies[GOT] = function(c)
        local what, item = c:number(f.what, 1)
        local state, state_item = c:number(f.state, 1)
        if c.short then return end
        state_item:add(f.complete, c.tvb:range(c.at - 1, 1))
        c:bytes(f.pieces, 8)
        if what ~= REQUEST and what ~= REPLY then o7s.bad(item, "neither a request nor a reply") end
        if state > 1 then o7s.bad(state_item, "unknown bits") end
    end

    bodies[PROVE] = function(c) c:bytes(f.token, TOKEN) end

    local function add_body(tvb, pinfo, tree, top, h)
        local c = o7s.cursor(tvb, tree)
        local result = bodies[h.type] and bodies[h.type](c, pinfo, top)
        if c:whole("the body of a " .. TYPES[h.type]) and c:left() > 0 then
            o7s.bad(tree, "more bytes than a " .. TYPES[h.type] .. " has")
        end
        return result
    end

    -- -- pieces

    -- The message that the piece completes, as a tvb, or nil.
    local function whole_of(tvb, pinfo, tree, where, h)
        local frame, exchange = flows.frame(pinfo), flows.exchange(where, h.id)
        if not pinfo.visited then
            local whole, fits = flows.collect(exchange, h, tvb:range():bytes():raw())
            frame.whole, frame.misfit = whole, not fits
        end
        if frame.misfit then o7s.bad(tree, "count or size are not as in the first piece that came") end
        if h.count == 1 then return tvb end
        if not frame.whole then return nil end
        local message = ByteArray.new(frame.whole, true):tvb("Ouroboros message")
        tree:add(f.message, message:range(), ("Message of %d pieces, %d bytes"):format(h.count, message:len()))
        return message
    end

    local function learn(pinfo, where, h, result)
        local exchange = flows.exchange(where, h.id)
        if pinfo.visited or not result or not flows.frame(pinfo).whole then return end
        if h.type == REQUEST and not exchange.flow then flows.asked(exchange, where, result, pinfo.number) end
        if h.type == REPLY then flows.answered(exchange, result, pinfo.number) end
    end

    local function add_message(piece, pinfo, tree, top, where, h)
        if h.type ~= REQUEST and h.type ~= REPLY then return add_body(piece, pinfo, tree, top, h) end
        local message = whole_of(piece, pinfo, tree, where, h)
        if message then learn(pinfo, where, h, add_body(message, pinfo, tree, top, h)) end
    end

    -- Returns words for the list of packets.
    function o7s.control(tvb, pinfo, tree, top, where)
        local c = o7s.cursor(tvb, tree)
        local h = add_header(c)
        local words = ("%s id=%s"):format(TYPES[h.type] or "management", h.id or "?")
        if h.count ~= 1 then words = words .. (" piece %d of %d"):format(h.index + 1, h.count) end
        if not c:whole("the header of a management message") then return words end
        local why = fault(h)
        if why then
            o7s.bad(tree, why)
            return words
        end
        local piece = c:bytes(f.piece, h.len)
        if not c:whole("a piece") or not check_padding(c, h) then return words end
        if piece then
            add_message(piece:tvb(), pinfo, tree, top, where, h)
        elseif bodies[h.type] then
            o7s.cut_short(tree, "the body of a " .. TYPES[h.type])
        end
        return words
    end
end
