"""Plans: what LUA records of common forms choose among, and how, as data that needs no Lua.

`lzc.lua.plan.format` says what a plan looks like, `Planner` reads them and answers.
"""

from lzc.lua.plan.format import checks_in, checks_of, encode, plan_key, reads_labels
from lzc.lua.plan.planner import Plan, Planner

__all__ = ("Plan", "Planner", "checks_in", "checks_of", "encode", "plan_key", "reads_labels")
