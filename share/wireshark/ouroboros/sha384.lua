-- SHA-384 (FIPS 180-4), HMAC (RFC 2104) and HKDF-Expand (RFC 5869) over strings of bytes. A word of 64 bits is two of
-- 32, the upper one first: numbers of Lua 5.2 are exact up to 53 bits only.
local K = {
    0x428a2f98, 0xd728ae22, 0x71374491, 0x23ef65cd, 0xb5c0fbcf, 0xec4d3b2f, 0xe9b5dba5, 0x8189dbbc,
    0x3956c25b, 0xf348b538, 0x59f111f1, 0xb605d019, 0x923f82a4, 0xaf194f9b, 0xab1c5ed5, 0xda6d8118,
    0xd807aa98, 0xa3030242, 0x12835b01, 0x45706fbe, 0x243185be, 0x4ee4b28c, 0x550c7dc3, 0xd5ffb4e2,
    0x72be5d74, 0xf27b896f, 0x80deb1fe, 0x3b1696b1, 0x9bdc06a7, 0x25c71235, 0xc19bf174, 0xcf692694,
    0xe49b69c1, 0x9ef14ad2, 0xefbe4786, 0x384f25e3, 0x0fc19dc6, 0x8b8cd5b5, 0x240ca1cc, 0x77ac9c65,
    0x2de92c6f, 0x592b0275, 0x4a7484aa, 0x6ea6e483, 0x5cb0a9dc, 0xbd41fbd4, 0x76f988da, 0x831153b5,
    0x983e5152, 0xee66dfab, 0xa831c66d, 0x2db43210, 0xb00327c8, 0x98fb213f, 0xbf597fc7, 0xbeef0ee4,
    0xc6e00bf3, 0x3da88fc2, 0xd5a79147, 0x930aa725, 0x06ca6351, 0xe003826f, 0x14292967, 0x0a0e6e70,
    0x27b70a85, 0x46d22ffc, 0x2e1b2138, 0x5c26c926, 0x4d2c6dfc, 0x5ac42aed, 0x53380d13, 0x9d95b3df,
    0x650a7354, 0x8baf63de, 0x766a0abb, 0x3c77b2a8, 0x81c2c92e, 0x47edaee6, 0x92722c85, 0x1482353b,
    0xa2bfe8a1, 0x4cf10364, 0xa81a664b, 0xbc423001, 0xc24b8b70, 0xd0f89791, 0xc76c51a3, 0x0654be30,
    0xd192e819, 0xd6ef5218, 0xd6990624, 0x5565a910, 0xf40e3585, 0x5771202a, 0x106aa070, 0x32bbd1b8,
    0x19a4c116, 0xb8d2d0c8, 0x1e376c08, 0x5141ab53, 0x2748774c, 0xdf8eeb99, 0x34b0bcb5, 0xe19b48a8,
    0x391c0cb3, 0xc5c95a63, 0x4ed8aa4a, 0xe3418acb, 0x5b9cca4f, 0x7763e373, 0x682e6ff3, 0xd6b2b8a3,
    0x748f82ee, 0x5defb2fc, 0x78a5636f, 0x43172f60, 0x84c87814, 0xa1f0ab72, 0x8cc70208, 0x1a6439ec,
    0x90befffa, 0x23631e28, 0xa4506ceb, 0xde82bde9, 0xbef9a3f7, 0xb2c67915, 0xc67178f2, 0xe372532b,
    0xca273ece, 0xea26619c, 0xd186b8c7, 0x21c0c207, 0xeada7dd6, 0xcde0eb1e, 0xf57d4f7f, 0xee6ed178,
    0x06f067aa, 0x72176fba, 0x0a637dc5, 0xa2c898a6, 0x113f9804, 0xbef90dae, 0x1b710b35, 0x131c471b,
    0x28db77f5, 0x23047d84, 0x32caab7b, 0x40c72493, 0x3c9ebe0a, 0x15c9bebc, 0x431d67c4, 0x9c100d4c,
    0x4cc5d4be, 0xcb3e42b6, 0x597f299c, 0xfc657e2a, 0x5fcb6fab, 0x3ad6faec, 0x6c44198c, 0x4a475817,
}

local START = {
    0xcbbb9d5d, 0xc1059ed8, 0x629a292a, 0x367cd507, 0x9159015a, 0x3070dd17, 0x152fecd8, 0xf70e5939,
    0x67332667, 0xffc00b31, 0x8eb44a87, 0x68581511, 0xdb0c2e0d, 0x64f98fa7, 0x47b5481d, 0xbefa4fa4,
}

local BLOCK, DIGEST, WORD = 128, 48, 0x100000000

return function(o7s)
    local band, bor, bxor = o7s.bits.band, o7s.bits.bor, o7s.bits.bxor
    local lshift, rshift = o7s.bits.lshift, o7s.bits.rshift

    -- By less than 32 bits; to turn further, give the halves the other way round.
    local function turn(h, l, n)
        return bor(rshift(h, n), lshift(l, 32 - n)), bor(rshift(l, n), lshift(h, 32 - n))
    end

    -- Sums of halves, which may be larger than 32 bits, as one word.
    local function carry(h, l)
        return (h + (l - l % WORD) / WORD) % WORD, l % WORD
    end

    local function word(s, at)
        local a, b, c, d = s:byte(at, at + 3)
        return ((a * 256 + b) * 256 + c) * 256 + d
    end

    -- sigma of the schedule: turned by two numbers and shifted by a third.
    local function small_sigma(h, l, a, swapped, b, shift)
        local ah, al = turn(h, l, a)
        local bh, bl
        if swapped then bh, bl = turn(l, h, b) else bh, bl = turn(h, l, b) end
        return bxor(ah, bh, rshift(h, shift)), bxor(al, bl, bor(rshift(l, shift), lshift(h, 32 - shift)))
    end

    local function schedule(block, at)
        local w = {}
        for i = 1, 32 do w[i] = word(block, at + 4 * (i - 1)) end
        for i = 33, 160, 2 do
            local h0, l0 = small_sigma(w[i - 30], w[i - 29], 1, false, 8, 7)
            local h1, l1 = small_sigma(w[i - 4], w[i - 3], 19, true, 29, 6)
            w[i], w[i + 1] = carry(h0 + h1 + w[i - 14] + w[i - 32], l0 + l1 + w[i - 13] + w[i - 31])
        end
        return w
    end

    local function upper_sigma(h, l) -- 28, 34, 39
        local ah, al = turn(h, l, 28)
        local bh, bl = turn(l, h, 2)
        local ch, cl = turn(l, h, 7)
        return bxor(ah, bh, ch), bxor(al, bl, cl)
    end

    local function lower_sigma(h, l) -- 14, 18, 41
        local ah, al = turn(h, l, 14)
        local bh, bl = turn(h, l, 18)
        local ch, cl = turn(l, h, 9)
        return bxor(ah, bh, ch), bxor(al, bl, cl)
    end

    local function choose(e, f, g)
        return bxor(band(e, f), band(WORD - 1 - e, g))
    end

    local function majority(a, b, c)
        return bxor(band(a, b), band(a, c), band(b, c))
    end

    local function compress(state, block, at)
        local w = schedule(block, at)
        local ah, al, bh, bl, ch, cl, dh, dl, eh, el, fh, fl, gh, gl, hh, hl = table.unpack(state)
        for i = 1, 160, 2 do
            local sh, sl = lower_sigma(eh, el)
            local th, tl = carry(hh + sh + choose(eh, fh, gh) + K[i] + w[i],
                                 hl + sl + choose(el, fl, gl) + K[i + 1] + w[i + 1])
            sh, sl = upper_sigma(ah, al)
            sh, sl = sh + majority(ah, bh, ch), sl + majority(al, bl, cl)
            hh, hl, gh, gl, fh, fl = gh, gl, fh, fl, eh, el
            eh, el = carry(dh + th, dl + tl)
            dh, dl, ch, cl, bh, bl = ch, cl, bh, bl, ah, al
            ah, al = carry(th + sh, tl + sl)
        end
        local sum = {ah, al, bh, bl, ch, cl, dh, dl, eh, el, fh, fl, gh, gl, hh, hl}
        for i = 1, 16, 2 do
            state[i], state[i + 1] = carry(state[i] + sum[i], state[i + 1] + sum[i + 1])
        end
    end

    local function bytes_of(n, size)
        local bytes = {}
        for i = size, 1, -1 do
            bytes[i] = string.char(n % 256)
            n = (n - n % 256) / 256
        end
        return table.concat(bytes)
    end

    local function sha384(s)
        local state = {table.unpack(START)}
        local padded = s .. "\128" .. ("\0"):rep((BLOCK - 17 - #s) % BLOCK) .. bytes_of(8 * #s, 16)
        for at = 1, #padded, BLOCK do compress(state, padded, at) end
        for i = 1, 16 do state[i] = bytes_of(state[i], 4) end
        return table.concat(state):sub(1, DIGEST)
    end

    local function hmac(key, s)
        local function with(pad)
            return key:gsub(".", function(c) return string.char(bxor(c:byte(), pad)) end)
        end
        if #key > BLOCK then key = sha384(key) end
        key = key .. ("\0"):rep(BLOCK - #key)
        return sha384(with(0x5c) .. sha384(with(0x36) .. s))
    end

    local function expand(secret, info, length)
        local out, last = "", ""
        for i = 1, math.ceil(length / DIGEST) do
            last = hmac(secret, last .. info .. string.char(i))
            out = out .. last
        end
        return out:sub(1, length)
    end

    o7s.sha384, o7s.hmac, o7s.expand = sha384, hmac, expand
end
