#!/bin/sh
# Makes PowerDNS {{ version }} ({{ secondary.name | comment }}) a secondary of {{ primary }}: lzc {{ lzc }} made
# it by "lzc export powerdns". Run it there as the user whom the database belongs to, as often as you like: it
# changes what is otherwise than here, and says so. Zones and keys that it does not name stay as they are.
#
#   PDNSUTIL="pdnsutil --config-dir=/etc/powerdns" sh powerdns.sh
#
# pdns.conf, beside it, has the settings that the zones need.
{%- if secrets %}
# It reads secrets from the folder "secrets" beside it: "lzc export powerdns --secrets" writes them.
{%- endif %}
set -eu
: "${PDNSUTIL:=pdnsutil}" "${PDNS_CONTROL:=pdns_control}"
here=$(dirname "$0")
newline='
'
tab='	'
zone= seen= changed= incomplete=

say() { printf '%s\n' "$*"; }
run() { say "pdnsutil $*"; $PDNSUTIL "$@" >/dev/null; changed=yes; }
look() { seen=$($PDNSUTIL {{ verb("show-zone") }} "$zone" 2>/dev/null) || seen=; }
has() { case "$newline$seen$newline" in *"$newline$1$newline"*) ;; *) return 1 ;; esac; }
secret() {
    if ! [ -r "$here/secrets/$1" ]; then
        say "$here/secrets/$1 is not here: lzc export powerdns --secrets writes it" >&2
        exit 1
    fi
}

# tsig NAME ALGORITHM FILE: the key is there once, with this algorithm and secret.
tsig() {
    listed=$($PDNSUTIL {{ verb("list-tsig-keys") }} 2>/dev/null |
        NAME="$1." awk '$1 == ENVIRON["NAME"] { print $2, $3 }')
    # Without the secret at hand, a key that is there is the right one.
    case "$listed" in *"$newline"*) ;; "$2. "*) [ -r "$here/secrets/$3" ] || return 0 ;; esac
    secret "$3"
    [ "$listed" != "$2. $(cat "$here/secrets/$3")" ] || return 0
    [ -z "$listed" ] || run {{ verb("delete-tsig-key") }} "$1"
    say "pdnsutil {{ verb("import-tsig-key") }} $1 $2 (secret)"
    $PDNSUTIL {{ verb("import-tsig-key") }} "$1" "$2" "$(cat "$here/secrets/$3")" >/dev/null
}

# zone NAME KIND PRIMARY: a zone of this kind, of this primary.
zone() {
    zone=$1 changed=
    look
    if [ -z "$seen" ]; then
        run {{ verb("create-secondary-zone") }} "$zone" "$3"
        look
    fi
    case "$2" in secondary) kind=Slave ;; *) kind=Consumer ;; esac
    has "This is a $kind zone" || run {{ verb("set-kind") }} "$zone" "$2"
    has "Primary: $3 " || run {{ verb("change-secondary-zone-primary") }} "$zone" "$3"
}

# arriving NAME: a zone that comes by itself, and is completed when it came.
arriving() {
    zone=$1 changed=
    look
    if [ -z "$seen" ]; then
        say "$zone is not here yet: run this again when it came" >&2
        zone= incomplete=yes
    fi
}

# meta KIND [VALUE]: metadata with this one value, or none.
meta() {
    [ -n "$zone" ] || return 0
    if [ $# -gt 1 ]; then
        has "$tab$1$tab$2" || run {{ verb("set-meta") }} "$zone" "$1" "$2"
    else
        case "$newline$seen" in *"$newline$tab$1$tab"*) run {{ verb("set-meta") }} "$zone" "$1" ;; esac
    fi
}

# denial [PARAMETERS [narrow]]: NSEC3, or NSEC.
denial() {
    [ -n "$zone" ] || return 0
    case "$newline$seen" in *"${newline}${tab}NSEC3NARROW$tab"*) narrow=narrow ;; *) narrow= ;; esac
    if [ $# -eq 0 ]; then
        case "$newline$seen" in *"${newline}${tab}NSEC3PARAM$tab"*) run {{ verb("unset-nsec3") }} "$zone" ;; esac
    elif ! has "${tab}NSEC3PARAM$tab$1" || [ "$narrow" != "${2-}" ]; then
        [ -z "$narrow" ] || run {{ verb("unset-nsec3") }} "$zone"
        run {{ verb("set-nsec3") }} "$zone" "$@"
    fi
}

# The line about the key with a DNSKEY, and its id as first word.
key_line() {
    printf '%s\n' "$seen" | awk -v dnskey=" IN DNSKEY $1 ;" '
        /^ID = / { line = $3 " " $0 } index($0, dnskey) { print line; exit }'
}

# key DNSKEY FILE ksk|zsk active|inactive: a key that is published there.
key() {
    [ -n "$zone" ] || return 0
    line=$(key_line "$1")
    if [ -z "$line" ]; then
        secret "$2"
        run {{ verb("import-zone-key") }} "$zone" "$here/secrets/$2" "$3" "$4" published
        return
    fi
    id=${line%% *}
    case "$4 $line" in
        "active "*Inactive*) run {{ verb("activate-zone-key") }} "$zone" "$id" ;;
        "inactive "*" Active"*) run {{ verb("deactivate-zone-key") }} "$zone" "$id" ;;
    esac
    case "$line" in *Unpublished*) run {{ verb("publish-zone-key") }} "$zone" "$id" ;; esac
}

# no_key DNSKEY: a key that lzc has, and publishes no more, or not yet.
no_key() {
    [ -n "$zone" ] || return 0
    line=$(key_line "$1")
    [ -z "$line" ] || run {{ verb("remove-zone-key") }} "$zone" "${line%% *}"
}

# keys DNSKEY...: says which keys there are that lzc does not know.
keys() {
    [ -n "$zone" ] || return 0
    for id in $(printf '%s\n' "$seen" | awk -v known="|$(printf '%s|' "$@")" '
        /^ID = / { id = $3 }
        / IN DNSKEY / { sub(/.* IN DNSKEY /, ""); sub(/ ; .*/, ""); if (!index(known, "|" $0 "|")) print id }')
    do
        say "$zone has a key that lzc does not know: pdnsutil {{ verb("remove-zone-key") }} $zone $id" >&2
    done
}

# end: what changed counts at once, where the server runs.
end() {
    if [ -n "$zone" ] && [ -n "$changed" ]; then
        $PDNSUTIL {{ verb("rectify-zone") }} "$zone" >/dev/null 2>&1 || :
        $PDNS_CONTROL purge "$zone\$" >/dev/null 2>&1 || :
        $PDNS_CONTROL retrieve "$zone" >/dev/null 2>&1 || :
    fi
    zone=
}

{% for key in tsig -%}
tsig {{ key.name | sh }} {{ key.algorithm | sh }} {{ key.file | sh }}
{% endfor -%}
{% if autoprimary %}
# A NOTIFY from there makes the zones whose NS records have one of these names.
listed=$($PDNSUTIL {{ verb("list-autoprimaries") }} 2>/dev/null) || listed=
{% for name in autoprimary.names -%}
case "$newline$listed$newline" in
    *"$newline"{{ ("IP=%s, NS=%s, account=lzc" | format(autoprimary.address, name)) | sh }}"$newline"*) ;;
    *) run {{ verb("add-autoprimary") }} {{ autoprimary.address | sh }} {{ name | sh }} lzc ;;
esac
{% endfor -%}
{% endif -%}
{% for zone in catalogs %}
zone {{ zone.name | sh }} consumer {{ primary | sh }}
meta AXFR-MASTER-TSIG{% if zone.tsig %} {{ zone.tsig | sh }}{% endif %}
end
{% endfor -%}
{% for zone in zones %}
{% if zone.arrives %}arriving {{ zone.name | sh }}{% else %}zone {{ zone.name | sh }} secondary {{ primary | sh }}{% endif %}
meta AXFR-MASTER-TSIG{% if zone.tsig %} {{ zone.tsig | sh }}{% endif %}
meta ENABLE-LUA-RECORDS{% if zone.lua %} 1{% endif %}
meta IXFR{% if not zone.signed %} 1{% endif %}
{% if zone.live -%}
denial{% if zone.denial %} {{ zone.denial | sh }}{% if zone.narrow %} narrow{% endif %}{% endif %}
meta PUBLISH-CDS{% if zone.cds %} {{ zone.cds | sh }}{% endif %}
meta PUBLISH-CDNSKEY{% if zone.cdnskey %} {{ zone.cdnskey | sh }}{% endif %}
{% for key in zone.signing -%}
{% if key.published %}key {{ key.dnskey | sh }} {{ key.file | sh }} {{ key.kind }} {{ key.state }}{% else %}no_key {{ key.dnskey | sh }}{% endif %}
{% endfor -%}
keys{% for key in zone.signing %} {{ key.dnskey | sh }}{% endfor %}
{% endif -%}
end
{% endfor %}
if [ -n "$incomplete" ]; then
    exit 3
fi
