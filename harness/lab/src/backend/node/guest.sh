# What a guest lab changes on a node beside its packet filter, and taking all of it away. Written for any `sh`.
#   teach PREFIX HOST NAME ADDRESS HOSTS-TOML AUTHORITY   ADDRESS is empty for a name that is not to resolve
#   forget PREFIX HOST NAME
#   clean PREFIX MARK                                     MARK is in the names of the packet filter's chains
# Every text that is put somewhere carries the lab's line, by which it is found again.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
verb=$1 line="# pulldrill:$2" certs=/etc/containerd/certs.d

is_ours() { grep -qxF -- "$line" "$1/hosts.toml" 2>/dev/null; }

remove_folder() {
    rm -f -- "$1/pulldrill-ca.pem" "$1/hosts.toml"
    rmdir -- "$1"
}

# The folder of all hosts goes when it was made here and nothing else is in it any more.
remove_certs() {
    if [ -f "$certs/.pulldrill" ] && [ "$(ls -A "$certs")" = .pulldrill ]; then
        rm -f -- "$certs/.pulldrill"
        rmdir -- "$certs"
    fi
}

# Written in place: the file may be a mount. $1 is the end of the lines that go.
remove_names() {
    [ -f /etc/hosts ] && grep -q -- "$1\$" /etc/hosts || return 0
    kept=$(grep -v -- "$1\$" /etc/hosts || :; echo .)
    printf %s "${kept%.}" >/etc/hosts
}

# $1: table, $2: chain; then the hooks from which it is entered.
remove_chain() {
    table=$1 chain=$2
    shift 2
    iptables -w -t "$table" -S "$chain" >/dev/null 2>&1 || return 0
    for hook; do
        while iptables -w -t "$table" -D "$hook" -j "$chain" 2>/dev/null; do :; done
    done
    iptables -w -t "$table" -F "$chain"
    iptables -w -t "$table" -X "$chain"
}

case $verb in
teach)
    folder=$certs/$3
    if [ -e "$folder" ] && ! is_ours "$folder"; then
        echo "$folder is there already, and is not of this lab; another --seed gives its registries other names" >&2
        exit 1
    fi
    [ -d "$certs" ] || { mkdir -p "$certs" && : >"$certs/.pulldrill"; }
    mkdir -p "$folder"
    printf '%s\n%s' "$line" "$6" >"$folder/hosts.toml"
    printf %s "$7" >"$folder/pulldrill-ca.pem"
    remove_names " $4 $line"
    [ -z "$5" ] || printf '%s %s %s\n' "$5" "$4" "$line" >>/etc/hosts
    ;;
forget)
    if is_ours "$certs/$3"; then remove_folder "$certs/$3"; fi
    remove_certs
    remove_names " $4 $line"
    ;;
clean)
    failed=
    # Each on its own: what can't be taken away keeps nothing else.
    (
        for file in "$certs"/*/hosts.toml; do
            folder=${file%/hosts.toml}
            if is_ours "$folder"; then remove_folder "$folder"; fi
        done
        remove_certs
    ) || failed="$failed $certs"
    (remove_names "$line") || failed="$failed /etc/hosts"
    if command -v iptables >/dev/null 2>&1; then
        (remove_chain filter "PULLDRILL-EGRESS-$3" OUTPUT FORWARD) || failed="$failed iptables/filter"
        (remove_chain nat "PULLDRILL-WAY-$3" OUTPUT PREROUTING) || failed="$failed iptables/nat"
    fi
    if command -v nft >/dev/null 2>&1 && nft list table inet "pulldrill_$3" >/dev/null 2>&1; then
        nft delete table inet "pulldrill_$3" || failed="$failed nft"
    fi
    [ -z "$failed" ] || { echo "left:$failed" >&2; exit 1; }
    ;;
esac
