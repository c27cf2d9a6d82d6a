"""Where zones come from: each source becomes a `lzc.zone.model.Zone`."""
