"""RDATA: from presentation format, to it, and what stands in it."""

from lzc.wire.rdata.embedded_names import canonical, names_in, target
from lzc.wire.rdata.fields import covered_type, soa_serial, soa_times, with_serial
from lzc.wire.rdata.lua_result import from_presentation
from lzc.wire.rdata.octets import InvalidRdata, check_wire, strings_in
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
    "names_in",
    "quote",
    "seconds",
    "soa_serial",
    "soa_times",
    "split_fields",
    "strings_in",
    "target",
    "to_text",
    "unescape",
    "with_serial",
]
