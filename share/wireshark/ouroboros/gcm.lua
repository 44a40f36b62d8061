-- AES-256-GCM (FIPS 197, SP 800-38D) with nonces of 96 bits and whole tags: enough to open a record. A block is four
-- words of 32 bits.
return function(o7s)
    local band, bor, bxor = o7s.bits.band, o7s.bits.bor, o7s.bits.bxor
    local lshift, rshift, rrotate = o7s.bits.lshift, o7s.bits.rshift, o7s.bits.rrotate

    -- -- tables of AES: S, and S with MixColumns for each of the four bytes of a column

    local S, T0, T1, T2, T3 = {}, {}, {}, {}, {}

    local function double(x)
        x = 2 * x
        return x < 256 and x or bxor(x, 0x11b)
    end

    local function make_tables()
        local p, q = 1, 1 -- each the inverse of the other, through the whole field
        repeat
            p = bxor(p, double(p))
            q = bxor(q, 2 * q % 256)
            q = bxor(q, 4 * q % 256)
            q = bxor(q, 16 * q % 256)
            if q >= 128 then q = bxor(q, 9) end
            local spread = q * 257 -- so that turning a byte is shifting
            S[p] = band(bxor(q, rshift(spread, 7), rshift(spread, 6), rshift(spread, 5), rshift(spread, 4), 0x63), 255)
        until p == 1
        S[0] = 0x63
        for x = 0, 255 do
            local s, s2 = S[x], double(S[x])
            T0[x] = bor(lshift(s2, 24), lshift(s, 16), lshift(s, 8), bxor(s, s2))
            T1[x], T2[x], T3[x] = rrotate(T0[x], 8), rrotate(T0[x], 16), rrotate(T0[x], 24)
        end
    end
    make_tables()

    local function sub_word(w)
        return bor(lshift(S[rshift(w, 24)], 24), lshift(S[band(rshift(w, 16), 255)], 16),
                   lshift(S[band(rshift(w, 8), 255)], 8), S[band(w, 255)])
    end

    local function words(s)
        local w = {}
        for i = 1, #s, 4 do
            local a, b, c, d = s:byte(i, i + 3)
            w[#w + 1] = ((a * 256 + (b or 0)) * 256 + (c or 0)) * 256 + (d or 0)
        end
        return w
    end

    local function expand_key(key)
        local w, rcon = words(key), 1
        for i = 9, 60 do
            local last = w[i - 1]
            if i % 8 == 1 then
                last = bxor(sub_word(rrotate(last, 24)), lshift(rcon, 24))
                rcon = double(rcon)
            elseif i % 8 == 5 then
                last = sub_word(last)
            end
            w[i] = bxor(w[i - 8], last)
        end
        return w
    end

    local function column(t, u, v, w, a, b, c, d, key)
        return bxor(t[rshift(a, 24)], u[band(rshift(b, 16), 255)], v[band(rshift(c, 8), 255)], w[band(d, 255)], key)
    end

    local function last_column(a, b, c, d, key)
        return bxor(bor(lshift(S[rshift(a, 24)], 24), lshift(S[band(rshift(b, 16), 255)], 16),
                        lshift(S[band(rshift(c, 8), 255)], 8), S[band(d, 255)]), key)
    end

    local function encrypt(k, a, b, c, d)
        a, b, c, d = bxor(a, k[1]), bxor(b, k[2]), bxor(c, k[3]), bxor(d, k[4])
        for i = 5, 56, 4 do
            a, b, c, d = column(T0, T1, T2, T3, a, b, c, d, k[i]), column(T0, T1, T2, T3, b, c, d, a, k[i + 1]),
                         column(T0, T1, T2, T3, c, d, a, b, k[i + 2]), column(T0, T1, T2, T3, d, a, b, c, k[i + 3])
        end
        return last_column(a, b, c, d, k[57]), last_column(b, c, d, a, k[58]), last_column(c, d, a, b, k[59]),
               last_column(d, a, b, c, k[60])
    end

    -- -- GHASH: by a byte at a time. Bits count from the left; x^128 = x^7 + x^2 + x + 1.

    local function times_x(a, b, c, d)
        local out = d % 2
        a, b, c, d = rshift(a, 1), bor(rshift(b, 1), lshift(a % 2, 31)), bor(rshift(c, 1), lshift(b % 2, 31)),
                     bor(rshift(d, 1), lshift(c % 2, 31))
        return out == 1 and bxor(a, 0xe1000000) or a, b, c, d
    end

    -- What comes back at the top for a byte that is shifted out below.
    local FOLD = {}
    for x = 0, 255 do
        local a, b, c, d = 0, 0, 0, x
        for _ = 1, 8 do a, b, c, d = times_x(a, b, c, d) end
        FOLD[x] = a
    end

    -- Each byte, as a polynomial, times H.
    local function make_products(a, b, c, d)
        local m = {[0] = {0, 0, 0, 0}}
        local bit = 128
        while bit >= 1 do
            m[bit] = {a, b, c, d}
            a, b, c, d = times_x(a, b, c, d)
            bit = bit / 2
        end
        for x = 1, 255 do
            local low = 1
            while x % (2 * low) == 0 do low = 2 * low end
            if low ~= x then
                local p, q = m[low], m[x - low]
                m[x] = {bxor(p[1], q[1]), bxor(p[2], q[2]), bxor(p[3], q[3]), bxor(p[4], q[4])}
            end
        end
        return m
    end

    local function times_h(m, w, x, y, z)
        local a, b, c, d = 0, 0, 0, 0
        for _, word in ipairs({z, y, x, w}) do
            for shift = 0, 24, 8 do
                local p, out = m[band(rshift(word, shift), 255)], band(d, 255)
                d = bxor(bor(rshift(d, 8), lshift(c, 24)), p[4])
                c = bxor(bor(rshift(c, 8), lshift(b, 24)), p[3])
                b = bxor(bor(rshift(b, 8), lshift(a, 24)), p[2])
                a = bxor(rshift(a, 8), FOLD[out], p[1])
            end
        end
        return a, b, c, d
    end

    local function ghash(m, aad, text)
        local a, b, c, d = 0, 0, 0, 0
        for _, part in ipairs({aad, text}) do
            local w = words(part)
            for i = 1, #w, 4 do
                a, b, c, d = times_h(m, bxor(a, w[i]), bxor(b, w[i + 1] or 0), bxor(c, w[i + 2] or 0),
                                     bxor(d, w[i + 3] or 0))
            end
        end
        return times_h(m, a, bxor(b, 8 * #aad), c, bxor(d, 8 * #text))
    end

    local function bytes(w)
        return string.char(rshift(w, 24), band(rshift(w, 16), 255), band(rshift(w, 8), 255), band(w, 255))
    end

    local gcm = {}

    -- The tables for a key of 32 bytes.
    function gcm.key(key)
        local k = expand_key(key)
        return {words = k, products = make_products(encrypt(k, 0, 0, 0, 0))}
    end

    -- The plaintext, or nil if the tag is another.
    function gcm.open(key, nonce, aad, text, tag)
        local k, n, t = key.words, words(nonce), words(tag)
        local h, mask = {ghash(key.products, aad, text)}, {encrypt(k, n[1], n[2], n[3], 1)}
        for i = 1, 4 do
            if bxor(h[i], mask[i]) ~= t[i] then return nil end
        end
        local w, out = words(text), {}
        for i = 1, #w, 4 do
            local stream = {encrypt(k, n[1], n[2], n[3], (i - 1) / 4 + 2)}
            for j = 0, math.min(3, #w - i) do out[#out + 1] = bytes(bxor(w[i + j], stream[j + 1])) end
        end
        return table.concat(out):sub(1, #text)
    end

    o7s.gcm = gcm
end
