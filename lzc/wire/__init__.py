"""Domain names, RDATA, messages, EDNS and TSIG, as bytes. No sockets, no clocks."""
