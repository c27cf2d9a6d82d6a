pickwrandom({
   { 10, '192.0.2.42'},   -- the new machine
   {100, "198.51.100.5"}, -- the old one
})