"""The rules for LUA records: what each finds, why it matters and what to do about it.

Ids are stable: scripts match them, and comments in zone files name them. Rules with ``elsewhere``
are applied by the reader of zone files or by the build, and stand here so that one table tells them
all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lzc.faults import Fault, Place, Severity

_ERROR: Final = Severity.ERROR
_WARNING: Final = Severity.WARNING


@dataclass(frozen=True, slots=True)
class Rule:
    """``summary`` is one line without a final stop; ``why`` and ``fix`` are what a finding says
    that has nothing more particular to say. Only a rule that is ``ignorable`` can be suppressed
    beside a record."""

    id: str
    severity: Severity
    summary: str
    why: str
    fix: str
    ignorable: bool = True
    elsewhere: bool = False

    def fault(self, place: Place, message: str, why: str = "", fix: str = "") -> Fault:
        """A fault that the rule finds."""
        return Fault(place, self.id, message, why or self.why, fix or self.fix, self.severity)


_TABLE: Final = (
    Rule(
        "lua-syntax",
        _ERROR,
        "code that is not Lua 5.1",
        "every answer would be SERVFAIL",
        "correct the code; a chunk of statements starts with `;` and returns its result",
        ignorable=False,
        elsewhere=True,
    ),
    Rule(
        "lua-comment-swallows",
        _WARNING,
        "a comment that takes the strings after it with it",
        "no line ends between the strings of a record, so all the code behind -- is a comment, on"
        " PowerDNS too",
        "write --[[ the comment ]] instead, or put the code into a file: $FILE",
    ),
    Rule(
        "lua-unknown-function",
        _ERROR,
        "a call of a function or method that nobody defines",
        "the call raises an error, and the answer is SERVFAIL",
        "correct the name, or include the record that defines it",
    ),
    Rule(
        "lua-unknown-global",
        _WARNING,
        "a variable that nobody sets",
        "it is nil, whatever was meant",
        "correct the name, make it a local with a value, or include the record that sets it",
    ),
    Rule(
        "lua-not-provided",
        _WARNING,
        "a function of PowerDNS that lzc refuses to run",
        "lzc answers SERVFAIL where PowerDNS would wait for another server",
        "take dblookup for names that this server has, or serve the name from PowerDNS only",
    ),
    Rule(
        "lua-argument",
        _ERROR,
        "an argument that the function does not take",
        "the call raises an error, and the answer is SERVFAIL",
        "see the function's parameters in PowerDNS's documentation of LUA records",
    ),
    Rule(
        "lua-option",
        _WARNING,
        "an option that a health check does not have, or a value that it does not take",
        "it is ignored without a word, so the check is not the one that was meant",
        "correct its name or value",
    ),
    Rule(
        "lua-geo-code",
        _WARNING,
        "a country or continent that no database knows by this code",
        "it never matches any client",
        "write ISO 3166-1 codes for countries, such as 'NL'; continents are"
        " AF, AN, AS, EU, NA, OC and SA",
    ),
    Rule(
        "lua-address-family",
        _ERROR,
        "an IPv6 address for an A record, or an IPv4 address for an AAAA record",
        "whenever it is chosen the answer is SERVFAIL",
        "move it to a LUA record of the other type",
    ),
    Rule(
        "lua-bad-address",
        _ERROR,
        "text that is no address where one must be",
        "whenever it is used the answer is SERVFAIL",
        "write an IPv4 address such as '192.0.2.1', or an IPv6 address such as '2001:db8::1'",
    ),
    Rule(
        "lua-bad-content",
        _ERROR,
        "a result that is no data of the record's type",
        "whenever it is chosen the answer is SERVFAIL",
        "write it as in a zone file, names with their final dot: '10 mail.example.org.' for MX",
    ),
    Rule(
        "lua-empty-candidates",
        _ERROR,
        "a list of candidates with nothing in it",
        "there is nothing to choose from: the answer is SERVFAIL, or empty",
        "name at least one candidate",
    ),
    Rule(
        "lua-timeout",
        _WARNING,
        "a timeout that looks like milliseconds",
        "timeout is in whole seconds; meanwhile the address keeps the status it had",
        "write seconds: timeout=2 is the default",
    ),
    Rule(
        "lua-secondary-version",
        _WARNING,
        "something that the version of a secondary does not have",
        "that secondary answers SERVFAIL, or other than this server",
        "upgrade the secondary, or do without",
    ),
    Rule(
        "lua-version-differs",
        _WARNING,
        "an answer that another version of PowerDNS gives otherwise",
        "strings of the record are joined otherwise there",
        "write what means the same everywhere, or have the same version everywhere",
    ),
    Rule(
        "lua-instructions",
        _WARNING,
        "more instructions than a server allows",
        "the server stops the execution and answers SERVFAIL",
        "do less for each query, or raise lua-records-exec-limit on the secondaries and exec-limit"
        " in [lua]",
    ),
    Rule(
        "lua-instructions-near",
        _WARNING,
        "more than 80 % of the instructions that a server allows",
        "another client, or a few more candidates, and the answer is SERVFAIL",
        "do less for each query, or raise lua-records-exec-limit on the secondaries and exec-limit"
        " in [lua]",
    ),
    Rule(
        "lua-include",
        _ERROR,
        "include of a record that is not there or does not cover LUA",
        "include does nothing then, and what the record should set is nil",
        "correct the name, which is relative to the zone, or add the record: NAME LUA LUA",
    ),
    Rule(
        "lua-leaking-global",
        _WARNING,
        "a global variable set in shared mode",
        "in shared mode it outlives the query and is seen by every other record",
        "write local in front of it",
    ),
    Rule(
        "lua-forbidden",
        _ERROR,
        "a way to the host: files, processes, modules, native code",
        "lzc closes it, so the answer is SERVFAIL; elsewhere, whoever may edit the zone could do"
        " what the server may",
        "do without; what the answer needs from outside belongs into a health check or the build",
    ),
    Rule(
        "lua-open-forward",
        _WARNING,
        "createForward or createForward6 without filterForward",
        "anyone can have names below yours that point to any address: for phishing, for cookies of"
        " your domain, against the protection from DNS rebinding, and each is an answer to cache",
        "wrap it: filterForward(createForward(), newNMG({'192.0.2.0/24'}))",
    ),
    Rule(
        "lua-empty-result",
        _WARNING,
        "an empty result in a signed zone",
        "a PowerDNS secondary proves with NSEC that the type exists and then has no data:"
        " validators call that bogus",
        "return an address that is sure to be there instead",
    ),
    Rule(
        "lua-ttl",
        _WARNING,
        "a TTL much longer than the interval of the health checks",
        "resolvers go on handing out an address for that long after its check has failed",
        "take a TTL of 60 seconds or less",
    ),
    Rule(
        "lua-suppression-unknown",
        _WARNING,
        "a comment that suppresses a rule that there is not",
        "it suppresses nothing",
        "correct the rule's id; lzc check --rules lists them",
        ignorable=False,
    ),
    Rule(
        "lua-suppression-unused",
        _WARNING,
        "a comment that suppresses a rule that found nothing",
        "it would hide the next mistake of that kind",
        "remove the comment",
        ignorable=False,
    ),
    Rule(
        "lua-fails",
        _WARNING,
        "code that fails, each time or on one of the ways that it may take",
        "its answers would be SERVFAIL",
        "correct the code, or see what it does with: lzc query",
        elsewhere=True,
    ),
    Rule(
        "lua-hangs",
        _ERROR,
        "code that did not come back, or crashed its process, when it was tried",
        "no limit would end it, and it would stop one process of a server after the other",
        "leave out the call that takes so long",
        ignorable=False,
        elsewhere=True,
    ),
    Rule(
        "lua-check-target",
        _ERROR,
        "a health check of an address that checks may not reach",
        "whoever may change the zone, or ask it, could learn of what only this machine reaches",
        "correct the address, or list its network under allow in [health] of lzc.toml",
        ignorable=False,
        elsewhere=True,
    ),
    Rule(
        "lua-type",
        _ERROR,
        "a LUA record for a type that is fixed when the zone is built",
        "delegations, signatures and the zone's structure cannot depend on the query",
        "write it as a plain record",
        ignorable=False,
        elsewhere=True,
    ),
    Rule(
        "lua-and-static",
        _WARNING,
        "a LUA record and a plain one of the same type",
        "servers differ in whether they answer with one or both",
        "keep one; code can return several contents as a list",
        elsewhere=True,
    ),
    Rule(
        "lua-disabled",
        _WARNING,
        "LUA records in a zone for which LUA is not enabled",
        "LUA records are code, and off unless said: their names exist without data",
        "set enable = true in [lua], or lua = true in the zone's section",
        ignorable=False,
        elsewhere=True,
    ),
)

RULES: Final = {rule.id: rule for rule in _TABLE}
"""Every rule by its id, in the order of the table."""
