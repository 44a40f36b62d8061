-- A cursor over a part of a tvb, which adds what it passes to the tree and remembers that something was missing: so no
-- dissector asks for bytes that are not there.
return function(o7s)
    local cursor = {}
    cursor.__index = cursor

    -- Over @n bytes (or all that there are) of @tvb from @at.
    function o7s.cursor(tvb, tree, at, n)
        at = at or 0
        return setmetatable({tvb = tvb, tree = tree, at = at, stop = n and at + n or tvb:len(), short = false}, cursor)
    end

    function cursor:left()
        return self.stop - self.at
    end

    -- The next @n bytes, or nil.
    function cursor:skip(n)
        if self.short or n < 0 or self:left() < n then
            self.short = true
            return nil
        end
        local at = self.at
        self.at = at + n
        -- A range of no bytes has a tvb of its own ideas.
        return n > 0 and self.tvb:range(at, n) or nil
    end

    -- A field of @n bytes. Nothing is added for none.
    function cursor:bytes(field, n)
        local range = self:skip(n)
        if range then return range, self.tree:add(field, range) end
    end

    -- A number of up to 4 bytes; 0 if it is missing.
    function cursor:number(field, n)
        local range = self:skip(n)
        if not range then return 0, self.tree end
        return range:uint(), self.tree:add(field, range)
    end

    -- One that Wireshark reads itself, as @encoding says.
    function cursor:decoded(field, n, encoding)
        local range = self:skip(n)
        if range then self.tree:add_packet_field(field, range, encoding or ENC_BIG_ENDIAN) end
    end

    -- A reserved field.
    function cursor:zero(field, n)
        local value, item = self:number(field, n)
        if value ~= 0 then o7s.bad(item, "a reserved field is not 0") end
    end

    -- A tree for what follows; bytes are added to it until the returned function is called.
    function cursor:below(field, n)
        local outer = self.tree
        local range = self:left() > 0 and self.tvb:range(self.at, math.min(n or self:left(), self:left()))
        self.tree = range and outer:add(field, range) or outer
        return self.tree, function() self.tree = outer end
    end

    -- Whether all was there; else says so, once.
    function cursor:whole(what)
        if self.short then o7s.cut_short(self.tree, what) end
        return not self.short
    end
end
