"""latlon, latlonloc, latlonMagic: coordinates, of the client or of the address asked for."""

from lzc.lua.definition.function import Function

FUNCTIONS = (
    Function("latlon", part=lambda: ["latlon"]),
    Function("latlonloc", part=lambda: ["latlonloc"]),
    Function("latlonMagic"),
)
