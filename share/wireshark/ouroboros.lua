-- Ouroboros in Wireshark: shims over Ethernet and UDP, OAP, records and FRCT (doc/protocols/).
--
--     wireshark -X lua_script:PATH/ouroboros.lua
--     tshark -X lua_script:PATH/ouroboros.lua -o o7s.key_log:FILE -r CAPTURE
--
-- or put it, with the folder beside it, into the folder of personal Lua plugins. What a packet with data is follows from
-- the request that its flow was asked for with; so the capture must have that. Encrypted flows can be decrypted with a
-- key log of either host (irmd --key-log). Wireshark 4.0 or later.
local PARTS = {"bits", "sha384", "gcm", "keylog", "cursor", "flows", "frct", "oap", "packet", "control"}
local UDP_PORT, ETHERTYPE, MANAGEMENT = "3435", "40960", 0x3c
local TAKEN = {[0x42] = true, [0xaa] = true, [0xe0] = true, [0xf0] = true, [0xfe] = true} -- by others, everywhere

local o7s = {}
local proto = Proto("o7s", "Ouroboros")
local here = debug.getinfo(1, "S").source:match("^@(.*[/\\])") or ""

o7s.experts = {
    malformed = ProtoExpert.new("o7s.malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR),
    short = ProtoExpert.new("o7s.short", "Ends too early", expert.group.MALFORMED, expert.severity.ERROR),
    cut = ProtoExpert.new("o7s.cut", "Not all of the packet was captured", expert.group.UNDECODED, expert.severity.NOTE),
    unknown = ProtoExpert.new("o7s.unknown_flow", "The request for this flow was not captured", expert.group.UNDECODED,
                              expert.severity.NOTE),
}
proto.experts = o7s.experts

-- Both return nothing, so that they can be what a function returns that has failed.
function o7s.bad(item, text)
    item:add_proto_expert_info(o7s.experts.malformed, text)
end

function o7s.cut_short(item, what)
    item:add_proto_expert_info(o7s.is_cut and o7s.experts.cut or o7s.experts.short, "ends within " .. what)
end

for _, part in ipairs(PARTS) do assert(loadfile(here .. "ouroboros/" .. part .. ".lua"))()(o7s) end

o7s.fields = {
    eid = ProtoField.uint32("o7s.eid", "Endpoint id"),
    length = ProtoField.uint16("o7s.length", "Length"),
    crc = ProtoField.uint32("o7s.crc", "Checksum", base.HEX),
    crc_good = ProtoField.bool("o7s.crc.good", "Checksum is right"),
    flow = ProtoField.string("o7s.flow", "Flow"),
    flow_request = ProtoField.framenum("o7s.flow.request", "Asked for in", base.NONE, frametype.REQUEST),
    flow_reply = ProtoField.framenum("o7s.flow.reply", "Answered in", base.NONE, frametype.RESPONSE),
    flow_oap_id = ProtoField.string("o7s.flow.oap_id", "OAP id"),
    flow_suite = ProtoField.uint8("o7s.flow.suite", "Suite", base.DEC, o7s.suites),
    flow_in_order = ProtoField.bool("o7s.flow.in_order", "In order"),
    flow_reliable = ProtoField.bool("o7s.flow.reliable", "Reliable"),
}
for name, field in pairs(o7s.control_fields) do o7s.fields["control_" .. name] = field end
proto.fields = o7s.fields

proto.prefs.ethertypes = Pref.range("Ethertypes", ETHERTYPE, "Ethertypes of layers of kind eth-dix", 65535)
proto.prefs.udp_ports = Pref.range("UDP ports", UDP_PORT, "Ports of layers of kind udp4 and udp6", 65535)
proto.prefs.key_log = Pref.string("Key log", "", "A file that irmd --key-log has written")

-- -- what is common to all kinds

-- @n bytes of packet from where @c is. @where: the addresses of its hosts. Returns words for the list of packets. What was
-- not captured is looked at as far as it goes, and learned nothing from.
local function inner(c, pinfo, top, where, eid, n)
    local there = math.min(n, c:left())
    if there == 0 then return o7s.cut_short(c.tree, "its header") end
    if there < n then
        c.tree:add_proto_expert_info(o7s.experts.cut)
        o7s.data(c.tvb:range(c.at, there), pinfo, top)
        return ("eid=%d not all captured"):format(eid)
    end
    local tvb = c.tvb:range(c.at, n):tvb()
    if eid == 0 then return o7s.control(tvb, pinfo, c.tree, top, where) end
    return ("eid=%d %s"):format(eid, o7s.packet(tvb, pinfo, c.tree, top, where, eid) or "")
end

-- Other dissectors that were called in between had their own ideas.
local function say(pinfo, words)
    pinfo.cols.protocol = "O7S"
    pinfo.cols.info = words or "malformed"
end

local function begin(tvb, pinfo, top)
    o7s.is_cut = tvb:len() < tvb:reported_len()
    o7s.flows.part = 0
    say(pinfo)
    return o7s.cursor(tvb, top:add(proto, tvb:range()))
end

local function macs(pinfo)
    return {src = tostring(pinfo.dl_src), dst = tostring(pinfo.dl_dst)}
end

-- -- eth-dix

local dix = Proto("o7s_dix", "Ouroboros over Ethernet II")

function dix.dissector(tvb, pinfo, top)
    if tvb:len() == 0 then return 0 end
    local c = begin(tvb, pinfo, top)
    local eid, length = c:number(o7s.fields.eid, 2), c:number(o7s.fields.length, 2)
    if not c:whole("the header") then return tvb:len() end
    if length > tvb:reported_len() - 4 then
        o7s.bad(c.tree, "a frame that is shorter than it says")
    else
        say(pinfo, inner(c, pinfo, top, macs(pinfo), eid, length))
    end
    return tvb:len()
end

-- -- eth-llc

-- Service access points that others use elsewhere are ours only for flows that we have seen asked for.
local llc = Proto("o7s_llc", "Ouroboros over 802.2")
local sap_of = Field.new("llc.dsap")
local others = {}

local function is_ours(pinfo, where, sap)
    if sap == MANAGEMENT then return true end
    local frame = o7s.flows.frame(pinfo)
    if not pinfo.visited then frame.found = frame.found or o7s.flows.find(where, sap) end
    return frame.found ~= nil
end

-- That it is malformed is in the tree then.
local function call_other(dissector, tvb, pinfo, top)
    local done, n = pcall(Dissector.call, dissector, tvb, pinfo, top)
    return done and n or tvb:len()
end

function llc.dissector(tvb, pinfo, top)
    local info = {sap_of()}
    local sap, where = info[#info] and info[#info].value, macs(pinfo)
    if not sap then return 0 end
    if not is_ours(pinfo, where, sap) then
        return others[sap] and call_other(others[sap], tvb, pinfo, top) or 0
    end
    if tvb:len() == 0 then return 0 end
    local c = begin(tvb, pinfo, top)
    local eid = sap == MANAGEMENT and 0 or sap
    c.tree:add(o7s.fields.eid, eid):set_generated()
    say(pinfo, inner(c, pinfo, top, where, eid, tvb:reported_len()))
    return tvb:len()
end

-- -- udp

-- Who captures on one of the hosts may see several datagrams as one: the kernel cuts them up late, and puts them together
-- early (UDP_SEGMENT, UDP_GRO). All have the same length, but for the last, which may be shorter; where they are cut is not
-- in the capture, so we look for the endpoint id that each begins with. Datagrams for different endpoints are not told apart.
local udp = Proto("o7s_udp", "Ouroboros over UDP")
local HEADER = 4
local MANAGEMENT_BEGINS = "^\0\0\0\0\1[\1-\9][\0\1]\0"

-- Whether the datagrams @bytes can be cut every @size bytes.
local function can_cut(bytes, size)
    for at = 1, #bytes, size do
        local is_one = bytes:sub(1, HEADER) == bytes:sub(at, at + HEADER - 1) and at + HEADER <= #bytes
        if not is_one or (bytes:find("^\0\0\0\0") and not bytes:find(MANAGEMENT_BEGINS, at)) then return false end
    end
    return true
end

-- The length of each datagram in @bytes but the last.
local function cut(bytes)
    local eid, at = bytes:sub(1, HEADER), HEADER + 2
    while true do
        at = bytes:find(eid, at, true)
        if not at then return #bytes end
        if can_cut(bytes, at - 1) then return at - 1 end
        at = at + 1
    end
end

-- One datagram: bytes of @tvb from @at, of which there were @n.
local function datagram(tvb, pinfo, top, where, at, n)
    local there = math.min(n, tvb:len() - at)
    local c = o7s.cursor(tvb, top:add(proto, tvb:range(at, there)), at, there)
    local eid = c:number(o7s.fields.eid, HEADER)
    return c:whole("the header") and inner(c, pinfo, top, where, eid, n - HEADER) or nil
end

function udp.dissector(tvb, pinfo, top)
    if tvb:len() == 0 then return 0 end
    o7s.is_cut = tvb:len() < tvb:reported_len()
    local where = {src = tostring(pinfo.src) .. ":" .. pinfo.src_port, dst = tostring(pinfo.dst) .. ":" .. pinfo.dst_port}
    local whole, said = tvb:reported_len(), {}
    local size = cut(tvb:range():bytes():raw())
    if size == tvb:len() then size = whole end
    for at = 0, tvb:len() - 1, size do
        o7s.flows.part = at / size
        said[#said + 1] = datagram(tvb, pinfo, top, where, at, math.min(size, whole - at))
    end
    say(pinfo, said[1] and table.concat(said, " | "))
    return tvb:len()
end

-- -- registration

local ethertypes, udp_ports = DissectorTable.get("ethertype"), DissectorTable.get("udp.port")
local bound = {}

local function bind(dissectors, what, range)
    if bound[what] == range then return end
    if bound[what] and bound[what] ~= "" then dissectors:remove(bound[what], what) end
    if range ~= "" then dissectors:add(range, what) end
    bound[what] = range
end

local function bind_all()
    bind(ethertypes, dix, proto.prefs.ethertypes)
    bind(udp_ports, udp, proto.prefs.udp_ports)
    o7s.keylog.use(proto.prefs.key_log)
end

local saps = DissectorTable.get("llc.dsap")
for sap = 0x02, 0xfc, 2 do
    if not TAKEN[sap] then
        others[sap] = saps:get_dissector(sap)
        saps:add(sap, llc)
    end
end

proto.prefs_changed = bind_all
proto.init = o7s.flows.forget
bind_all()
