-- Packets of flows: records of encrypted ones, checksums of plain ones, and FRCT or messages in them.
local HEADER, TAG, CRC = 8, 16, 4
local TYPES = {[0] = "data", "keepalive", "close"}

return function(o7s)
    local bits, flows = o7s.bits, o7s.flows
    local proto = Proto("o7s_record", "Ouroboros record")
    local f = {
        type = ProtoField.uint8("o7s_record.type", "Type", base.DEC, TYPES),
        epoch = ProtoField.uint24("o7s_record.epoch", "Epoch"),
        counter = ProtoField.uint32("o7s_record.counter", "Counter"),
        ciphertext = ProtoField.bytes("o7s_record.ciphertext", "Ciphertext"),
        tag = ProtoField.bytes("o7s_record.tag", "Tag"),
        opened = ProtoField.bool("o7s_record.opened", "Decrypted"),
        content = ProtoField.bytes("o7s_record.content", "Content"),
    }
    proto.fields = f
    local refused = ProtoExpert.new("o7s_record.refused", "Does not open with the keys of its flow", expert.group.DECRYPTION,
                                    expert.severity.WARN)
    proto.experts = {refused}
    local data = Dissector.get("data")

    function o7s.data(range, pinfo, tree)
        pcall(Dissector.call, data, range:tvb(), pinfo, tree)
    end

    -- -- CRC-32 as in Ethernet

    local sums = {}
    for i = 0, 255 do
        local v = i
        for _ = 1, 8 do v = v % 2 == 1 and bits.bxor(bits.rshift(v, 1), 0xedb88320) or bits.rshift(v, 1) end
        sums[i] = v
    end

    function o7s.crc32(s)
        local v = 0xffffffff
        for i = 1, #s do v = bits.bxor(bits.rshift(v, 8), sums[bits.band(bits.bxor(v, s:byte(i)), 255)]) end
        return bits.bxor(v, 0xffffffff)
    end

    -- -- what is inside

    local function add_content(tvb, pinfo, tree, flow)
        if flow.qos.in_order == 1 then return o7s.frct(tvb, pinfo, tree) end
        o7s.data(tvb:range(), pinfo, tree)
        return "message len=" .. tvb:len()
    end

    local function add_plain(tvb, pinfo, tree, flow)
        local fields = o7s.fields
        if flow.qos.ber ~= 0 then return add_content(tvb, pinfo, tree, flow) end
        if tvb:len() <= CRC then return o7s.cut_short(tree, "a packet with a checksum") end
        local n = tvb:len() - CRC
        local sum, item = tvb:range(n, CRC), nil
        item = tree:add(fields.crc, sum)
        local good = o7s.crc32(tvb:range(0, n):bytes():raw()) == sum:uint()
        item:add(fields.crc_good, good):set_generated()
        if not good then o7s.bad(item, "the checksum is wrong") end
        return add_content(tvb:range(0, n):tvb(), pinfo, tree, flow)
    end

    -- -- records

    -- The content: of now, or as it was found when the packet was looked at first.
    local function open(tvb, pinfo, found)
        local frame, keys = flows.frame(pinfo), o7s.keylog.find(found.flow.oap_id)
        if keys and frame.opened == nil then
            frame.opened = o7s.keylog.open(keys[found.direction], tvb:range():bytes():raw()) or false
        end
        if keys then return frame.opened end
    end

    local function add_opened(content, kind, pinfo, tree, flow)
        if #content == 0 then return TYPES[kind] or "unknown" end
        local tvb = ByteArray.new(content, true):tvb("Decrypted record")
        tree:add(f.content, tvb:range())
        if kind ~= 0 then return TYPES[kind] or "unknown" end
        return add_content(tvb, pinfo, tree, flow)
    end

    local function add_record(tvb, pinfo, tree, found)
        local c = o7s.cursor(tvb, tree:add(proto, tvb:range()))
        local kind, item = c:number(f.type, 1)
        local epoch, counter = c:number(f.epoch, 3), c:number(f.counter, 4)
        c:bytes(f.ciphertext, c:left() - TAG)
        c:bytes(f.tag, TAG)
        if not c:whole("a record") then return "record" end
        if not TYPES[kind] then o7s.bad(item, "a record of unknown type") end
        local words = ("record %s %d/%d"):format(TYPES[kind] or kind, epoch, counter)
        local content = open(tvb, pinfo, found)
        c.tree:add(f.opened, content and true or false):set_generated()
        if content == false then c.tree:add_proto_expert_info(refused) end
        if not content then return words end
        return words .. ": " .. add_opened(content, kind, pinfo, tree, found.flow)
    end

    -- -- the flow

    local function add_flow(tree, found)
        local fields, flow = o7s.fields, found.flow
        local item = tree:add(fields.flow, found.direction == "c2s" and "client to server" or "server to client")
        item:set_generated()
        item:add(fields.flow_request, flow.request):set_generated()
        if flow.reply then item:add(fields.flow_reply, flow.reply):set_generated() end
        item:add(fields.flow_oap_id, flow.oap_id):set_generated()
        item:add(fields.flow_suite, flow.suite):set_generated()
        item:add(fields.flow_in_order, flow.qos.in_order == 1):set_generated()
        item:add(fields.flow_reliable, flow.qos.in_order == 1 and flow.qos.loss == 0):set_generated()
    end

    -- A packet for endpoint @eid. @tree: of the shim. Returns words for the list of packets.
    function o7s.packet(tvb, pinfo, tree, top, where, eid)
        local frame = flows.frame(pinfo)
        if not pinfo.visited then frame.found = frame.found or flows.find(where, eid) end
        local found = frame.found
        if not found then
            tree:add_proto_expert_info(o7s.experts.unknown)
            o7s.data(tvb:range(), pinfo, top)
            return "packet of an unknown flow len=" .. tvb:len()
        end
        add_flow(tree, found)
        if found.flow.suite == 0 then return add_plain(tvb, pinfo, top, found.flow) end
        return add_record(tvb, pinfo, top, found)
    end
end
