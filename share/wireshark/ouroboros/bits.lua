-- Operations on unsigned 32-bit words: Lua 5.2 has a library for them, later versions have operators.
return function(o7s)
    o7s.bits = bit32 or load([[
        local function fold(op)
            return function(a, b, ...)
                a = op(a, b) & 0xffffffff
                for _, c in ipairs({...}) do a = op(a, c) & 0xffffffff end
                return a
            end
        end
        return {
            band = fold(function(a, b) return a & b end),
            bor = fold(function(a, b) return a | b end),
            bxor = fold(function(a, b) return a ~ b end),
            lshift = function(a, n) return (a << n) & 0xffffffff end,
            rshift = function(a, n) return (a & 0xffffffff) >> n end,
            rrotate = function(a, n) return ((a & 0xffffffff) >> n | a << (32 - n)) & 0xffffffff end,
        }]])()
end
