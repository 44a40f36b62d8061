-- What earlier packets said: exchanges of management messages, the pieces that were collected, the flows that came of
-- them. Everything is learned when a packet is looked at for the first time, and what was found for it is kept by its
-- number: Wireshark looks at packets again, in any order.
local PARTS_MAX = 65536 -- packets in a frame

return function(o7s)
    local flows = {}
    local exchanges, ends, frames

    function flows.forget()
        exchanges, ends, frames = {}, {}, {}
    end
    flows.forget()

    -- Which one of several packets in one frame is looked at.
    flows.part = 0

    -- What is kept of the packet that is looked at.
    function flows.frame(pinfo)
        local key = pinfo.number * PARTS_MAX + flows.part
        local frame = frames[key]
        if not frame then
            frame = {}
            frames[key] = frame
        end
        return frame
    end

    local function pair(a, b)
        return a < b and a .. " " .. b or b .. " " .. a
    end

    -- The exchange with that id between the two hosts of the packet; a new one if there is none.
    function flows.exchange(where, id)
        local key = pair(where.src, where.dst) .. " " .. id
        local found = exchanges[key]
        if not found then
            found = {messages = {}}
            exchanges[key] = found
        end
        return found
    end

    -- Takes a piece. The whole message when this was the last that lacked; and whether the piece fits to the others.
    function flows.collect(exchange, h, bytes)
        local m = exchange.messages[h.type]
        if not m then
            m = {count = h.count, size = h.size, pieces = {}, n = 0}
            exchange.messages[h.type] = m
        end
        if m.count ~= h.count or m.size ~= h.size then return nil, false end
        if m.whole or m.pieces[h.index] then return nil, true end
        m.pieces[h.index] = bytes
        m.n = m.n + 1
        if m.n < m.count then return nil, true end
        m.whole = table.concat(m.pieces, "", 0, m.count - 1)
        m.pieces = {}
        return m.whole, true
    end

    local function end_key(at, from, eid)
        return at .. " " .. from .. " " .. eid
    end

    -- A request: data to its endpoint id is of that flow from now on.
    function flows.asked(exchange, where, request, number)
        local flow = {client = where.src, server = where.dst, request = number, qos = request.qos, suite = request.suite,
                      oap_id = request.oap_id, eid = request.eid}
        exchange.flow = flow
        ends[end_key(flow.client, flow.server, request.eid)] = {flow = flow, direction = "s2c"}
        if exchange.reply then flows.answered(exchange, exchange.reply, exchange.reply_number) end
    end

    -- Who captures at two places may see the reply first.
    function flows.answered(exchange, reply, number)
        local flow = exchange.flow
        exchange.reply, exchange.reply_number = reply, number
        if not flow then return end
        flow.reply = number
        if reply.code == 0 then
            ends[end_key(flow.server, flow.client, reply.eid)] = {flow = flow, direction = "c2s"}
        else
            ends[end_key(flow.client, flow.server, flow.eid)] = nil
        end
    end

    -- {flow =, direction =} of a packet with data, or nil.
    function flows.find(where, eid)
        return ends[end_key(where.dst, where.src, eid)]
    end

    o7s.flows = flows
end
