createReverse6("%33%.static6.example.com", {
  ["2001:db8::1"] = "eins.example.com.", -- the gateway
  ["2001:db8::2"] = "zwei.example.com."
})