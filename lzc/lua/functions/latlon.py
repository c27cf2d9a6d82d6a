"""latlon, latlonloc, latlonMagic: coordinates, of the client or of the address asked for."""

from lzc.lua.definition.function import Function

FUNCTIONS = (
    Function("latlon", of_database=True, of_client=True, part=lambda _form: ["latlon"]),
    Function("latlonloc", of_database=True, of_client=True, part=lambda _form: ["latlonloc"]),
    Function("latlonMagic", of_database=True, of_name=True),
)
