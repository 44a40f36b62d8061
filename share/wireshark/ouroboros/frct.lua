-- Packets of FRCT (doc/protocols/frct.md).
local DATA, FIRST, LAST, FIN, RUN, ACK, PROBE, KNOWN = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x7f
local RANGES_MAX, RANGE = 32, 8
local FLAGS = {{"data", DATA}, {"first", FIRST}, {"last", LAST}, {"fin", FIN}, {"run", RUN}, {"ack", ACK}, {"probe", PROBE}}

return function(o7s)
    local band = o7s.bits.band
    local proto = Proto("o7s_frct", "Ouroboros FRCT")
    local f = {
        flags = ProtoField.uint8("o7s_frct.flags", "Flags", base.HEX),
        unknown = ProtoField.bool("o7s_frct.flags.unknown", "Unknown", 8, nil, 0x80),
        ranges = ProtoField.uint8("o7s_frct.ranges", "Ranges"),
        marks = ProtoField.uint16("o7s_frct.marks", "Marks of congestion"),
        stamp = ProtoField.uint32("o7s_frct.stamp", "Stamp (µs)"),
        seq = ProtoField.uint32("o7s_frct.seq", "Number"),
        run_first = ProtoField.uint32("o7s_frct.first", "Oldest not acknowledged"),
        ack = ProtoField.uint32("o7s_frct.ack_number", "Oldest lacking"),
        edge = ProtoField.uint32("o7s_frct.edge", "Edge of the window"),
        echo = ProtoField.uint32("o7s_frct.echo", "Echo of stamp"),
        delay = ProtoField.uint32("o7s_frct.delay", "Delay of the echo (µs)"),
        range = ProtoField.bytes("o7s_frct.range", "Received"),
        from = ProtoField.uint32("o7s_frct.range.from", "From"),
        to = ProtoField.uint32("o7s_frct.range.to", "Up to, not with"),
        payload = ProtoField.bytes("o7s_frct.payload", "Payload"),
    }
    for _, flag in ipairs(FLAGS) do
        f["flag_" .. flag[1]] = ProtoField.bool("o7s_frct.flags." .. flag[1], flag[1]:upper(), 8, nil, flag[2])
    end
    proto.fields = f

    local function has(flags, flag)
        return band(flags, flag) ~= 0
    end

    local function names(flags)
        local set = {}
        for _, flag in ipairs(FLAGS) do
            if has(flags, flag[2]) then set[#set + 1] = flag[1]:upper() end
        end
        return table.concat(set, " ")
    end

    local function flags_of(c)
        local flags, item = c:number(f.flags, 1)
        if c.short then return 0 end
        for _, flag in ipairs(FLAGS) do item:add(f["flag_" .. flag[1]], c.tvb:range(c.at - 1, 1)) end
        item:add(f.unknown, c.tvb:range(c.at - 1, 1))
        item:append_text(" (" .. names(flags) .. ")")
        return flags
    end

    -- Why the packet would be dropped, or nil.
    local function fault(flags, ranges, marks, payload)
        local data, fin = has(flags, DATA), has(flags, FIN)
        if flags > KNOWN then return "unknown flags" end
        if not has(flags, DATA + ACK + PROBE) then return "neither DATA nor ACK nor PROBE" end
        if not data and has(flags, FIRST + LAST + FIN) then return "FIRST, LAST or FIN without DATA" end
        if has(flags, RUN) and not data and not has(flags, PROBE) then return "RUN without DATA or PROBE" end
        if fin and has(flags, FIRST + LAST) then return "FIN with FIRST or LAST" end
        if not has(flags, ACK) and (ranges ~= 0 or marks ~= 0) then return "ranges or marks without ACK" end
        if ranges > RANGES_MAX then return "more than 32 ranges" end
        if data and not fin and payload == 0 then return "DATA without payload" end
        if not (data and not fin) and payload > 0 then return "bytes behind a packet without payload" end
    end

    local function add_ranges(c, n)
        for _ = 1, math.min(n, RANGES_MAX) do
            local tree, up = c:below(f.range, RANGE)
            local from, to = c:number(f.from, 4), c:number(f.to, 4)
            up()
            if c.short then return end
            tree:set_text(("Received: %d up to %d"):format(from, to))
        end
    end

    local function add_ack(c, ranges)
        local ack = c:number(f.ack, 4)
        c:number(f.edge, 4)
        c:number(f.echo, 4)
        c:number(f.delay, 4)
        add_ranges(c, ranges)
        return " ack=" .. ack
    end

    -- Returns a few words for the list of packets.
    function o7s.frct(tvb, pinfo, tree)
        local c = o7s.cursor(tvb, tree:add(proto, tvb:range()))
        local flags = flags_of(c)
        local ranges, marks = c:number(f.ranges, 1), c:number(f.marks, 2)
        local words = "FRCT " .. names(flags)
        c:number(f.stamp, 4)
        if has(flags, DATA) then words = words .. " seq=" .. c:number(f.seq, 4) end
        if has(flags, RUN) then words = words .. " first=" .. c:number(f.run_first, 4) end
        if has(flags, ACK) then words = words .. add_ack(c, ranges) end
        if not c:whole("an FRCT header") then return words end
        local payload = c:left()
        local why = fault(flags, ranges, marks, payload)
        if why then o7s.bad(c.tree, "FRCT: " .. why) end
        if payload == 0 then return words end
        c:bytes(f.payload, payload)
        o7s.data(tvb:range(tvb:len() - payload), pinfo, tree)
        return words .. " len=" .. payload
    end
end
