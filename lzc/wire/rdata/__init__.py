"""RDATA: from presentation format, to it, and what stands in it."""

from lzc.wire.rdata.embedded_names import canonical, names_in, target
from lzc.wire.rdata.lua_result import from_presentation, from_result
from lzc.wire.rdata.octets import (
    InvalidRdata,
    check_wire,
    covered_type,
    soa_serial,
    soa_times,
    strings_in,
    strings_to_wire,
    with_serial,
)
from lzc.wire.rdata.reading import MAX_RDATA, from_fields, seconds, split_fields, unescape
from lzc.wire.rdata.writing import quote, to_text

__all__ = [
    "MAX_RDATA",
    "InvalidRdata",
    "canonical",
    "check_wire",
    "covered_type",
    "from_fields",
    "from_presentation",
    "from_result",
    "names_in",
    "quote",
    "seconds",
    "soa_serial",
    "soa_times",
    "split_fields",
    "strings_in",
    "strings_to_wire",
    "target",
    "to_text",
    "unescape",
    "with_serial",
]
