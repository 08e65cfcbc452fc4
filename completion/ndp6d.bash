# Completion of ndp6d(8) for bash, with the package bash-completion.

# Prints the addresses of all hosts that the running daemon knows.
_ndp6d_addresses() {
    ndp6d status hosts 2>/dev/null </dev/null | awk '$1 ~ /^[0-9a-f]*:[0-9a-f:.]*$/ { print $1 }'
}

# Completes the last word of a list with commas. $1: the words
_ndp6d_list() {
    compopt -o nospace
    COMPREPLY=($(compgen -P "${cur%"${cur##*,}"}" -W "$1" -- "${cur##*,}"))
}

_ndp6d() {
    local cur prev words cword
    _init_completion -n : || return

    case $prev in
        -c | --config | --control | --write) _filedir; return ;;
        --state) _filedir -d; return ;;
        --level) COMPREPLY=($(compgen -W 'error warn info debug' -- "$cur")); return ;;
        --log) COMPREPLY=($(compgen -W 'auto terminal json journal' -- "$cur")); return ;;
        --kind) _ndp6d_list 'answered probing unanswered advertisement dropped neighbor next-hop link conflict foreign proxy router limit overrun silent bare filtered snooped'; return ;;
        --only) _ndp6d_list "$(ndp6d doctor --list 2>/dev/null </dev/null | awk '{ print $1 }')"; return ;;
        --link) COMPREPLY=($(compgen -W "$(ls /sys/class/net)" -- "$cur")); return ;;
        --target)
            COMPREPLY=($(compgen -W "$(_ndp6d_addresses)" -- "$cur"))
            __ltrim_colon_completions "$cur"
            return ;;
        --try) COMPREPLY=($(compgen -W '60s 5m 1h' -- "$cur")); return ;;
        --count) return ;;
    esac

    local word command= options= values=
    for word in "${words[@]:1:cword-1}"; do
        case $word in
            init | check | reload | doctor | status | explain | monitor | metrics | log-level | report | cleanup) command=$word; break ;;
        esac
    done
    case $command in
        '') options='-c --config --control --help --level --log --state --version'
            values='init check reload doctor status explain monitor metrics log-level report cleanup' ;;
        init) options='--help --write' ;;
        check) options='--help --json --print --strict' ;;
        reload) options='--confirm --control --dry-run --help --json --try' ;;
        doctor) options='-c --config --control --help --json --list --only --strict' ;;
        status) options='--all --control --help --json' ;;
        explain) options='--control --help --json --probe' ;;
        monitor) options='--control --count --help --json --kind --link --target --top' ;;
        metrics) options='--control --help --json --write' ;;
        log-level) options='--control --help --json'
            values='error warn info debug' ;;
        report) options='-c --config --control --help --json --plain' ;;
        cleanup) options='--control --help --state' ;;
    esac

    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
        return
    fi
    case $command in
        init | check) _filedir; return ;;
        status) values="hosts drops limits $(_ndp6d_addresses)" ;;
        explain) values=$(_ndp6d_addresses) ;;
    esac
    COMPREPLY=($(compgen -W "$values" -- "$cur"))
    __ltrim_colon_completions "$cur"
}

complete -F _ndp6d ndp6d
