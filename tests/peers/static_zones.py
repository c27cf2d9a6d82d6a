"""Zones without LUA records that hold what authoritative servers have got wrong before.

Each is what comes after the `HEAD` of `tests.unit.live_server`: SOA, and NS ``ns1`` with its
address. They load on BIND, NSD and Knot DNS as they stand.
"""

from __future__ import annotations

_LABEL = "x" * 63
_LONGEST = ".".join(["l" * 63, "m" * 63, "n" * 63])
# nasty.example. has 15 octets in wire format: three full labels (192) and one of 47 (48) make 255.
LONGEST = "k" * 47 + "." + _LONGEST

NASTY = f"""\
@ NS ns.second.example.
@ NS ns.elsewhere.example.
@ MX 10 mail
@ MX 20 mail.second.example.
@ MX 30 mail.elsewhere.example.
@ TXT "apex"
@ CAA 0 issue "ca.example"
ns1 AAAA 2001:db8::53
www A 192.0.2.1
www A 192.0.2.2
www AAAA 2001:db8::1
www TXT "one" "two"
www TYPE65280 \\# 3 616263
mail A 192.0.2.25

; Empty non-terminals (RFC 8020), and a name that is canonically between two of them.
a.b.c.ent TXT "deep"
z.y.ent A 192.0.2.3

; Wildcards (RFC 4592): overlapping, under one another, as an empty non-terminal, with each kind of
; data that needs more than a copy.
*.wild A 192.0.2.4
*.wild TXT "wild"
exact.wild MX 10 www
below.exact.wild A 192.0.2.5
*.deep.wild A 192.0.2.6
*.exact2.wild TXT "hides the outer one"
*.*.star A 192.0.2.7
sub.*.ent2 TXT "the wildcard is an empty non-terminal"
*.wcname CNAME www
*.wcname2 CNAME q.wild
*.wcout CNAME www.elsewhere.example.
*.wcdead CNAME nowhere
*.wcx CNAME x1.second.example.
*.spin CNAME y.spin
*.wmx MX 10 mail
*.wsrv SRV 1 2 53 ns.deleg
*.wdel A 192.0.2.8
cut.wdel NS ns.cut.wdel
cut.wdel NS ns.deleg
ns.cut.wdel A 192.0.2.9
*.wlong TXT "for names of 255 octets"

; Aliases: along, across and out of the zones, to what is not there, to each other.
c1 CNAME c2
c2 CNAME c3
c3 CNAME www
l0 CNAME l1
l1 CNAME l2
l2 CNAME l3
l3 CNAME l4
l4 CNAME l5
l5 CNAME l6
l6 CNAME l7
l7 CNAME www
dead CNAME nowhere
deadx CNAME nowhere.second.example.
out CNAME www.elsewhere.example.
over CNAME x1.second.example.
there CNAME x2.second.example.
back CNAME www
cent CNAME b.c.ent
cwild CNAME q.wild
cwild2 CNAME q.r.deep.wild
capex CNAME @
cfar CNAME second.example.
self CNAME self
loop1 CNAME loop2
loop2 CNAME loop1
loopx CNAME loopx.second.example.
cdel CNAME www.deleg
cdels CNAME deleg
csec CNAME secure
cdn CNAME www.dn
cdnlong CNAME {_LABEL}.dnlong
cchild CNAME www.child
cchilds CNAME child
cglue CNAME ns.deleg

; Redirections (RFC 6672): with data beside, along, across, out, too long, in circles.
dn DNAME dnt
dn A 192.0.2.10
dn TXT "beside"
dnt A 192.0.2.11
www.dnt A 192.0.2.12
c.dnt CNAME www
*.w.dnt TXT "wild"
dnent DNAME c.ent
dnout DNAME elsewhere.example.
dnx DNAME second.example.
dnlong DNAME {_LABEL}.{_LABEL}.{_LABEL}
dnchain DNAME dn
dnloop DNAME dnloop2
dnloop2 DNAME dnloop
dnup DNAME @
dndel DNAME deleg
dnchild DNAME child
dndead DNAME nowhere

; Delegations: glue of each kind (RFC 9471), data that a cut hides, a cut below a cut.
deleg NS ns.deleg
deleg NS ns.sib
deleg NS ns1
deleg NS ns.second.example.
deleg NS ns.elsewhere.example.
ns.deleg A 192.0.2.60
ns.deleg AAAA 2001:db8::60
occluded.deleg TXT "hidden"
deep.occluded.deleg A 192.0.2.61
*.deleg A 192.0.2.62
alias.deleg CNAME www
cut2.deleg NS ns.cut2.deleg
ns.cut2.deleg A 192.0.2.63
sib NS ns.sib
sib NS ns.deleg
ns.sib A 192.0.2.64
secure NS ns.secure
secure DS 1 13 2 {"00" * 32}
ns.secure A 192.0.2.65
insecure NS ns.elsewhere.example.
gap.gap2.far NS ns1
child NS ns1.child
child DS 1 13 2 {"11" * 32}
ns1.child A 192.0.2.66
bigdel NS a.bigdel
{"".join(f"bigdel NS n{n}.bigdel{chr(10)}n{n}.bigdel A 192.0.2.{n}{chr(10)}" for n in range(20))}
a.bigdel AAAA 2001:db8::61

; Octets that names may hold (RFC 2181 §11), and such as look like something else.
\\000.esc TXT "zero"
a\\000b.esc TXT "zero within"
\\000\\000.esc TXT "zeros"
\\001.esc TXT "one"
\\000.\\000.esc2 TXT "zero labels"
a\\.b.esc TXT "dot"
\\255.esc TXT "255"
sp\\032ace.esc TXT "space"
\\@.esc TXT "at"
\\*\\*.esc TXT "stars"
x*.esc TXT "no wildcard"
UPPER.esc A 192.0.2.70
\\195\\132.esc TXT "above ASCII"
_.esc TXT "between Z and a"
{LONGEST} A 192.0.2.71
{_LONGEST} TXT "of 204 octets"

; RRsets that do not fit into 512 or 1232 octets.
{"".join(f'mid TXT "{n:02}{chr(109) * 60}"{chr(10)}' for n in range(9))}
{"".join(f'big TXT "{n:02}{chr(98) * 100}"{chr(10)}' for n in range(20))}
{"".join(f"many A 10.0.0.{n}{chr(10)}" for n in range(90))}
cbig CNAME big
{"".join(f"manymx MX {n} h{n}.hosts{chr(10)}h{n}.hosts A 10.1.0.{n}{chr(10)}" for n in range(18))}
; Types that bring the addresses of what they point to.
_sip._tcp SRV 1 2 5060 www
_sip._tcp SRV 1 2 5060 c1
_sip._tcp SRV 1 2 5060 mail.second.example.
_sip._tcp SRV 1 2 5060 ns.deleg
mx MX 10 www
mx MX 20 mail
mxself MX 10 mxself
mxself A 192.0.2.72
mxglue MX 10 ns.deleg
mxwild MX 10 q.wild
mxdn MX 10 www.dn
mxnull MX 0 .
svc HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1
svc HTTPS 2 www alpn=h3 port=8443
svc A 192.0.2.73
svcalias HTTPS 0 svc
ptr PTR www
"""

SECOND = """\
ns A 192.0.2.54
mail A 192.0.2.26
mail AAAA 2001:db8::26
x1 CNAME back.nasty.example.
x2 A 192.0.2.80
loopx CNAME loopx.nasty.example.
www A 192.0.2.81
@ TXT "second"
"""

CHILD = """\
@ TXT "child"
www A 192.0.2.90
up CNAME www.nasty.example.
*.w A 192.0.2.91
"""

GRANDCHILD = """\
@ TXT "its parent is elsewhere"
www A 192.0.2.92
"""

SHORT = """\
@ TXT "short"
a A 192.0.2.93
*.a A 192.0.2.94
* TXT "every name"
b NS ns1.b
ns1.b A 192.0.2.95
"""

ROOT = """\
@ TXT "root"
test NS ns.test
ns.test A 192.0.2.53
com NS a.gtld.net
net NS a.gtld.net
a.gtld.net A 192.0.2.96
arpa NS ns1
*.wild A 192.0.2.97
b.a TXT "a. is empty"
alias CNAME b.a
dn DNAME .
dn2 DNAME a
to.test.x CNAME www.test
"""

ZONES = {
    "nasty.example.": NASTY,
    "second.example.": SECOND,
    "child.nasty.example.": CHILD,
    "grand.deleg.nasty.example.": GRANDCHILD,
    "t.": SHORT,
}

ROOT_ZONE = {".": ROOT}
