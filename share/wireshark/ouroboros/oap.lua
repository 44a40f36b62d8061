-- Messages of OAP (doc/protocols/oap.md, section 1).
local REQUEST, RESPONSE = 1, 2
local HEADER, TAG, MESSAGE_MAX = 32, 16, 65000
local CERTS_MAX, CERTS_BYTES, DATA_MAX = 8, 32768, 16384
local SUITES = {[0] = "plain", "p384", "p384-mlkem1024", "x25519", "x25519-mlkem768"}
local KEX = {[0] = {0, 0}, {97, 97}, {97 + 1568, 97 + 1568}, {32, 32}, {32 + 1184, 32 + 1088}}

return function(o7s)
    local proto = Proto("o7s_oap", "Ouroboros OAP")
    local f = {
        version = ProtoField.uint8("o7s_oap.version", "Version"),
        type = ProtoField.uint8("o7s_oap.type", "Type", base.DEC, {[REQUEST] = "request", [RESPONSE] = "response"}),
        suite = ProtoField.uint8("o7s_oap.suite", "Suite", base.DEC, SUITES),
        flags = ProtoField.uint8("o7s_oap.flags", "Flags", base.HEX),
        auth = ProtoField.bool("o7s_oap.flags.auth", "AUTH", 8, nil, 0x01),
        id = ProtoField.bytes("o7s_oap.id", "Id"),
        timestamp = ProtoField.absolute_time("o7s_oap.timestamp", "Timestamp", base.UTC),
        kex_len = ProtoField.uint16("o7s_oap.kex_len", "Length of the key exchange"),
        reserved = ProtoField.uint16("o7s_oap.reserved", "Reserved", base.HEX),
        kex = ProtoField.bytes("o7s_oap.kex", "Key exchange"),
        sealed = ProtoField.bytes("o7s_oap.sealed", "Sealed body"),
        tag = ProtoField.bytes("o7s_oap.tag", "Tag"),
        certs_len = ProtoField.uint16("o7s_oap.certs_len", "Length of the certificates"),
        data_len = ProtoField.uint16("o7s_oap.data_len", "Length of the first data"),
        certs = ProtoField.bytes("o7s_oap.certs", "Certificates"),
        cert_len = ProtoField.uint16("o7s_oap.cert_len", "Length of the certificate"),
        cert = ProtoField.bytes("o7s_oap.cert", "Certificate"),
        data = ProtoField.bytes("o7s_oap.data", "First data"),
        signature = ProtoField.bytes("o7s_oap.signature", "Signature"),
    }
    proto.fields = f
    local found, x509 = pcall(function() return DissectorTable.get("media_type"):get_dissector("application/pkix-cert") end)

    local function add_cert(c, pinfo)
        local n = c:number(f.cert_len, 2)
        local range, item = c:bytes(f.cert, n)
        if not range then return o7s.bad(c.tree, "OAP: a certificate that is empty, or longer than what is left") end
        if found and x509 then pcall(Dissector.call, x509, range:tvb(), pinfo, item) end
    end

    local function add_certs(c, pinfo, length)
        local count = 0
        if length == 0 or c:left() < length then return end
        local tree, up = c:below(f.certs, length)
        local inner = o7s.cursor(c.tvb, tree, c.at, length)
        while inner:left() > 0 and not inner.short and count <= CERTS_MAX do
            add_cert(inner, pinfo)
            count = count + 1
        end
        up()
        tree:set_text(("Certificates: %d"):format(count))
        if count > CERTS_MAX or length > CERTS_BYTES then o7s.bad(tree, "OAP: too many certificates") end
    end

    local function add_body(c, pinfo, auth)
        local certs_len, data_len = c:number(f.certs_len, 2), c:number(f.data_len, 2)
        add_certs(c, pinfo, certs_len)
        c:skip(certs_len)
        c:bytes(f.data, data_len)
        if c.short then return end
        if data_len > DATA_MAX then o7s.bad(c.tree, "OAP: more than 16 KiB of first data") end
        if (certs_len > 0) ~= auth or (c:left() > 0) ~= auth then
            o7s.bad(c.tree, "OAP: certificates and signature are not as AUTH says")
        end
        c:bytes(f.signature, c:left())
    end

    local function add_sealed(c)
        if c:left() < TAG + 4 then return o7s.bad(c.tree, "OAP: a sealed body that is too short") end
        c:bytes(f.sealed, c:left() - TAG)
        c:bytes(f.tag, TAG)
    end

    -- What the header says. @want: the type that it should be of.
    local function add_header(c, want)
        local h = {}
        local version, version_item = c:number(f.version, 1)
        local kind, kind_item = c:number(f.type, 1)
        h.kind = kind
        local suite_item, flags, flags_item, length_item
        h.suite, suite_item = c:number(f.suite, 1)
        flags, flags_item = c:number(f.flags, 1)
        flags_item:add(f.auth, c.tvb:range(c.at - 1, 1))
        h.id = c:bytes(f.id, 16):bytes():tohex(true)
        c:decoded(f.timestamp, 8, ENC_BIG_ENDIAN + ENC_TIME_NSECS)
        h.kex_len, length_item = c:number(f.kex_len, 2)
        c:zero(f.reserved, 2)
        h.auth = flags % 2 == 1
        if version ~= 1 then o7s.bad(version_item, "OAP: unknown version") end
        if kind ~= want then o7s.bad(kind_item, "OAP: not the type that belongs here") end
        if flags > 1 then o7s.bad(flags_item, "OAP: unknown flags") end
        if not KEX[h.suite] then
            o7s.bad(suite_item, "OAP: unknown suite")
        elseif h.kex_len ~= KEX[h.suite][want] then
            o7s.bad(length_item, "OAP: not the length of a key exchange of this suite")
        end
        return h
    end

    -- Id (hex) and suite of a message in a string of bytes, or nil.
    function o7s.oap_peek(message)
        if #message < HEADER then return nil end
        local suite = message:byte(3)
        local id = message:sub(5, 20):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
        return id, suite
    end

    o7s.suites = SUITES

    -- A request or a response, all that @tvb has.
    function o7s.oap(tvb, pinfo, tree, is_response)
        local c = o7s.cursor(tvb, tree:add(proto, tvb:range()))
        if tvb:len() < HEADER then return o7s.cut_short(c.tree, "an OAP header") end
        if tvb:len() > MESSAGE_MAX then o7s.bad(c.tree, "OAP: longer than 65000 bytes") end
        local h = add_header(c, is_response and RESPONSE or REQUEST)
        c:bytes(f.kex, h.kex_len)
        if not c:whole("an OAP message") then return end
        if is_response and h.suite ~= 0 then return add_sealed(c) end
        add_body(c, pinfo, h.auth)
        c:whole("the body of an OAP message")
    end
end
