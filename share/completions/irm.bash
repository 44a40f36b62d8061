# Completion of irm(8) for bash: objects, verbs, keywords and their values; names, IPCPs and layers as the daemon
# lists them.

# The first or another column of a table that irm prints, without its head.
_irm_column()
{
        irm "$1" list 2>/dev/null | awk -v column="$2" 'NR > 1 && $column != "-" { print $column }' | sort -u
}

# The words that can follow a keyword; nothing when the user has to invent it.
_irm_values()
{
        case $1 in
        type) echo local unicast broadcast eth-llc eth-dix udp4 udp6 ;;
        hash) echo SHA3_224 SHA3_256 SHA3_384 SHA3_512 ;;
        lb) echo round-robin spillover ;;
        layer) _irm_column layer 1 ;;
        ipcp) _irm_column ipcp 2 ;;
        user) compgen -u ;;
        name)
                if [[ $2 == ipcp ]]; then
                        _irm_column ipcp 2
                else
                        _irm_column name 1
                fi
                ;;
        esac
}

# The keywords of a verb.
_irm_keywords()
{
        case $1 in
        'ipcp create') echo name type ;;
        'ipcp bootstrap') echo name layer type hash ;;
        'ipcp list') echo name type layer ;;
        'ipcp destroy') echo name ;;
        'bind program') echo name auto user -- ;;
        bind\ * | unbind\ *) echo name ;;
        'name create') echo lb ;;
        'name register' | 'name unregister') echo ipcp layer ;;
        'flow list') echo name layer ;;
        esac
}

# What stands between a verb and its keywords.
_irm_operand()
{
        case $1 in
        'bind program' | 'unbind program') compgen -c -- "$2" ;;
        'bind process' | 'unbind process') ps -eo pid= ;;
        'bind ipcp' | 'unbind ipcp') _irm_column ipcp 2 ;;
        'name create') ;;
        name\ *) _irm_column name 1 ;;
        layer\ *) _irm_column layer 1 ;;
        'flow show') _irm_column flow 1 ;;
        'security show') irm security show 2>/dev/null | awk 'NR > 2 { print $1 }' | sort -u ;;
        *) return 1 ;;
        esac
}

_irm_verbs()
{
        case $1 in
        ipcp) echo create bootstrap list destroy ;;
        bind | unbind) echo program process ipcp ;;
        name) echo create destroy list register unregister ;;
        flow) echo list show ;;
        security) echo show check ;;
        layer) echo list show ;;
        esac
}

# What can follow @object @verb and more words: an operand, the value of the keyword in front, or another keyword.
_irm_arguments()
{
        local verb="$1 $2" cur=$3 keywords first=3

        shift 3
        keywords=$(_irm_keywords "$verb")
        if [[ $verb == ipcp\ * || $verb == 'flow list' ]]; then
                first=2 # no operand
        fi
        if [[ $# -lt $((first - 2)) ]]; then
                _irm_operand "$verb" "$cur"
        elif [[ $# -gt $((first - 2)) && ${!#} != auto && " $keywords " == *" ${!#} "* ]]; then
                _irm_values "${!#}" "${verb% *}"
        else
                echo "$keywords"
        fi
}

_irm()
{
        local cur=${COMP_WORDS[COMP_CWORD]} word choices
        local -a words=() # without options

        for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
                if [[ $word == -- ]]; then
                        return # a program's own arguments
                fi
                [[ $word == -* ]] || words+=("$word")
        done
        if [[ $cur == -* ]]; then
                choices='--json --help'
        elif [[ ${#words[@]} -eq 0 ]]; then
                choices='ipcp bind unbind name flow layer security status version help'
        elif [[ ${words[0]} == help ]]; then
                choices=$([[ ${#words[@]} -gt 1 ]] && _irm_verbs "${words[1]}" || echo ipcp bind unbind name flow layer security status)
        elif [[ ${#words[@]} -eq 1 ]]; then
                choices=$(_irm_verbs "${words[0]}")
        else
                choices=$(_irm_arguments "${words[0]}" "${words[1]}" "$cur" "${words[@]:2}")
        fi
        mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$cur")
}

complete -F _irm irm
