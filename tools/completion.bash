
# Words of kind $1 that begin with $2 into COMPREPLY.
_ekka_reply() {
	local kind=$1 cur=$2

	case $kind in
	@file | @program) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	@dir) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	@trace) mapfile -t COMPREPLY < <(compgen -d -X '!*.ekka' -- "$cur") ;;
	@command) mapfile -t COMPREPLY < <(compgen -W "$_ekka_commands" -- "$cur") ;;
	@none | "") COMPREPLY=() ;;
	*) mapfile -t COMPREPLY < <(compgen -W "${kind//|/ }" -- "$cur") ;;
	esac
}

_ekka() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command="" value i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	if [ -z "$command" ]; then
		case $cur in
		-*) _ekka_reply "--help|--version|--no-pager" "$cur" ;;
		*) _ekka_reply @command "$cur" ;;
		esac
		return
	fi
	value=$(_ekka_values "$command" "$prev")
	if [ -n "$value" ]; then
		_ekka_reply "$value" "$cur"
	elif [[ $cur == -* ]]; then
		_ekka_reply "$(_ekka_options "$command")" "$cur"
	else
		_ekka_reply "$(_ekka_operands "$command")" "$cur"
	fi
}

complete -o filenames -F _ekka ekka
