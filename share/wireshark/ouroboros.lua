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

-- A packet, without the header of its kind. @tree: of the shim, @where: the addresses of its hosts.
local function packet(tvb, pinfo, tree, top, where, eid)
    local words
    if eid == 0 then
        words = o7s.control(tvb, pinfo, tree, top, where)
    else
        words = o7s.packet(tvb, pinfo, tree, top, where, eid)
    end
    pinfo.cols.protocol = "O7S"
    pinfo.cols.info = eid == 0 and words or ("eid=%d %s"):format(eid, words or "")
end

-- @n bytes of packet from where @c is. What was not captured is looked at as far as it goes, and learned nothing from.
local function inner(c, pinfo, top, where, eid, n)
    local there = math.min(n, c:left())
    if there == 0 then
        o7s.cut_short(c.tree, "its header")
        return
    end
    if there < n then
        c.tree:add_proto_expert_info(o7s.experts.cut)
        o7s.data(c.tvb:range(c.at, there), pinfo, top)
        return
    end
    packet(c.tvb:range(c.at, n):tvb(), pinfo, c.tree, top, where, eid)
end

local function begin(tvb, pinfo, top)
    o7s.is_cut = tvb:len() < tvb:reported_len()
    pinfo.cols.protocol = "O7S"
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
        inner(c, pinfo, top, macs(pinfo), eid, length)
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
    inner(c, pinfo, top, where, eid, tvb:reported_len())
    return tvb:len()
end

-- -- udp

local udp = Proto("o7s_udp", "Ouroboros over UDP")

function udp.dissector(tvb, pinfo, top)
    if tvb:len() == 0 then return 0 end
    local c = begin(tvb, pinfo, top)
    local eid = c:number(o7s.fields.eid, 4)
    local where = {src = tostring(pinfo.src) .. ":" .. pinfo.src_port, dst = tostring(pinfo.dst) .. ":" .. pinfo.dst_port}
    if c:whole("the header") then inner(c, pinfo, top, where, eid, tvb:reported_len() - 4) end
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
