#!/bin/sh
# Asks Andon's gate before an order, from a shell. Needs coreutils and awk, nothing else.
#
#   gate.sh FOLDER VENUE STRATEGY SYMBOL
#
# prints `STATE SIZE_FACTOR RATE_FACTOR why` and exits with 0 where a position may be opened (OPEN, REDUCED: multiply
# size and rate by the factors), 3 for CLOSE_ONLY, 1 for HALTED, 2 for wrong usage. Whatever can not be read within a
# second, is absent, stale, of an earlier boot or makes no sense is HALTED.
LC_ALL=C
export LC_ALL

halted() {
    printf 'HALTED 0 0 %s\n' "$1"
    exit 1
}

if [ $# -ne 4 ]; then
    echo "usage: gate.sh FOLDER VENUE STRATEGY SYMBOL" >&2
    exit 2
fi
copies=$(mktemp -d) || halted "there is no room for a copy of the gate"
trap 'rm -rf "$copies"' EXIT
trap 'halted "the gate could not be read within 1 s"' ALRM

# A read from a dead disk may never come back and can not be killed. So a process of its own reads, and nothing of ours
# is in its hands: who waits for our output does not wait for it.
read_files() {
    for name in cord.latch gate.json; do # the latch first: no writer of gate.json can clear it
        if ! error=$(cat "$1/$name" 2>&1 >"$copies/$name"); then
            case $error in
            *": No such file or directory") rm -f "$copies/$name" ;; # absent; anything else is unreadable
            *) return 1 ;;
            esac
        fi
    done
    cat /proc/sys/kernel/random/boot_id >"$copies/boot" && cat /proc/uptime >"$copies/uptime"
}
(read_files "$1") </dev/null >/dev/null 2>&1 &
reader=$!
(
    sleep 1
    kill -s ALRM $$
) </dev/null >/dev/null 2>&1 &
watchdog=$!
wait "$reader" || halted "the gate can not be read"
kill "$watchdog" 2>/dev/null

[ -e "$copies/gate.json" ] || halted "there is no gate.json"
latch=
[ -e "$copies/cord.latch" ] && latch=$copies/cord.latch

answer=$(
    GATE=$copies/gate.json LATCH=$latch BOOT=$copies/boot UPTIME=$copies/uptime \
        VENUE=$2 STRATEGY=$3 SYMBOL=$4 awk '
    BEGIN {
        rank["OPEN"] = 0; rank["REDUCED"] = 1; rank["CLOSE_ONLY"] = 2; rank["HALTED"] = 3
        level["L1"] = level["L2"] = "CLOSE_ONLY"; level["L3"] = level["L4"] = "HALTED"
        venue = ENVIRON["VENUE"] ""; strategy = ENVIRON["STRATEGY"] ""; symbol = normal(ENVIRON["SYMBOL"])
        getline boot < ENVIRON["BOOT"]
        getline line < ENVIRON["UPTIME"]
        split(line, uptime, " ")
        now = uptime[1] * 1000000000

        what = "gate.json"
        gate = parse(whole(ENVIRON["GATE"]))
        lease = get(gate, "lease", "object")
        if (value[get(lease, "boot_id", "string")] "" != boot "") halted("gate.json is of an earlier boot")
        expires = value[get(lease, "expires", "number")] + 0
        if (expires < now || expires > now + 10000000000) halted("gate.json is stale: the guard no longer renews it")
        state = known(value[get(gate, "state", "string")])
        size = share(value[get(gate, "size_factor", "string")])
        rate = share(value[get(gate, "rate_factor", "string")])
        because = value[find(gate, "because")]
        scopes = get(gate, "scopes", "object")
        for (each = 1; each <= length_of[scopes]; each++) {
            if (type[child[scopes, each]] != "string") unreadable("a scope without a state")
            tighten(known(value[child[scopes, each]]), key[scopes, each], "gate " key[scopes, each])
        }

        what = "the latch"
        if (ENVIRON["LATCH"] != "") {
            while ((got = (getline line < ENVIRON["LATCH"])) > 0) {
                pulls++
                pull = parse(line)
                pulled = value[get(pull, "level", "string")]
                if (!(pulled in level)) unreadable("unknown level " pulled)
                scope = value[get(pull, "scope", "string")]
                tighten(level[pulled], scope, pulled " " scope)
            }
            if (got < 0 || !pulls) unreadable("it is there, but empty")
        }
        print state, size, rate, because
        exit 0
    }

    function halted(why) { print "HALTED 0 0 " why; exit 0 }
    function unreadable(why) { halted(what " can not be read: " why) }

    function known(name) {
        if (!(name in rank)) unreadable("unknown state " name)
        return name
    }

    function share(text) {
        if (text !~ /^[0-9]*[.]?[0-9]*$/ || text !~ /[0-9]/ || text + 0 > 1) unreadable(text " is not a share from 0 to 1")
        return text
    }

    function tighten(to, scope, why) {
        if (touches(scope) && rank[to] > rank[state]) { state = to; size = rate = "0"; because = why }
    }

    # Scopes are desk, venue:a,b, strategy:a and symbol:A,B.
    function touches(scope,    kind, names, count, each, name, some, hit) {
        if (scope == "desk" || scope == "all") return 1
        kind = scope
        sub(/:.*/, "", kind)
        if (kind !~ /^(venue|strategy|symbol)$/ || !index(scope, ":")) unreadable("unknown scope " scope)
        count = split(substr(scope, length(kind) + 2), names, ",")
        for (each = 1; each <= count; each++) {
            name = trimmed(names[each])
            if (name == "") continue
            some = 1
            if (kind == "symbol" ? normal(name) "" == symbol "" : name "" == (kind == "venue" ? venue : strategy) "") hit = 1
        }
        if (!some) unreadable("unknown scope " scope)
        return hit
    }

    function trimmed(text) { sub(/^[ \t\r\n]+/, "", text); sub(/[ \t\r\n]+$/, "", text); return text }

    # BTC/USD and BTCUSD name one thing.
    function normal(text) { gsub("/", "", text); return toupper(trimmed(text)) }

    function whole(path,    line, all) {
        while ((getline line < path) > 0) all = all line "\n"
        return all
    }

    # --- JSON, read strictly: nodes are numbers with a type, a value, keys and children ---

    function parse(text,    node) {
        rest = text
        node = element(0)
        blank()
        if (rest != "") unreadable("it does not end where it should")
        return node
    }

    function blank() { sub(/^[ \t\r\n]+/, "", rest) }

    function take(text) {
        blank()
        if (substr(rest, 1, length(text)) != text) return 0
        rest = substr(rest, length(text) + 1)
        return 1
    }

    function element(depth,    node) {
        if (depth > 20) unreadable("it is too deep")
        node = ++nodes
        blank()
        if (take("{")) members(node, depth, "object", "}")
        else if (take("[")) members(node, depth, "array", "]")
        else if (substr(rest, 1, 1) == "\"") { value[node] = string(); type[node] = "string" }
        else if (match(rest, /^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]+)?/)) {
            value[node] = substr(rest, 1, RLENGTH)
            rest = substr(rest, RLENGTH + 1)
            type[node] = "number"
        }
        else if (take("true") || take("false") || take("null")) type[node] = "word"
        else unreadable("it is torn or no JSON")
        return node
    }

    function members(node, depth, kind, end,    count, name) {
        type[node] = kind
        if (take(end)) return
        do {
            blank()
            if (kind == "object") {
                name = string()
                if (!take(":")) unreadable("a name without a value")
                key[node, count + 1] = name
            }
            child[node, ++count] = element(depth + 1)
        } while (take(","))
        if (!take(end)) unreadable("it is torn")
        length_of[node] = count
    }

    function string(    text, char) {
        if (!match(rest, /^"([^"\\]|\\.)*"/)) unreadable("it is torn")
        text = substr(rest, 2, RLENGTH - 2)
        rest = substr(rest, RLENGTH + 1)
        if (text ~ /[\001-\037]/) unreadable("a control character")
        if (!index(text, "\\")) return text
        return unescaped(text)
    }

    function unescaped(text,    at, char, done) {
        while ((at = index(text, "\\"))) {
            done = done substr(text, 1, at - 1)
            char = substr(text, at + 1, 1)
            text = substr(text, at + 2)
            if (char == "\"" || char == "\\" || char == "/") done = done char
            else if (index("bfnrt", char)) done = done " "
            else if (char == "u" && match(text, /^[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]/)) {
                unreadable("escaped characters, which this reader does not know") # the writers write UTF-8
            }
            else unreadable("an unknown escape")
        }
        return done text
    }

    # The last of several members of one name counts; 0 for none.
    function find(node, name,    each) {
        if (type[node] == "object")
            for (each = length_of[node]; each >= 1; each--)
                if (key[node, each] "" == name "") return child[node, each]
        return 0
    }

    function get(node, name, wanted,    found) {
        found = find(node, name)
        if (!found) unreadable("there is no " name)
        if (type[found] != wanted) unreadable(name " is no " wanted)
        return found
    }
    '
) || halted "awk could not judge the gate"

printf '%s\n' "$answer"
case $answer in
"OPEN "* | "REDUCED "*) exit 0 ;;
"CLOSE_ONLY "*) exit 3 ;;
*) exit 1 ;;
esac
