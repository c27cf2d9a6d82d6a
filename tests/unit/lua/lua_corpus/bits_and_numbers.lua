;
local n = 0
for octet in ("192.0.2.77"):gmatch "%d+" do n = n * 256 + octet end
return n % 0x100, 1e3, .5, 0xFf, 3.14e0 .. "", 1/4