# bash completion for enrollctl(1). The commands and options come from the program itself.
_enrollctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local words=() i word line

	case $prev in
	--socket | --png | --qr-file | --key-file)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--state)
		mapfile -t COMPREPLY < <(compgen -W "open pending used expired revoked enrolled cancelled all \
			located sent saved joined waiting removing removed unconfirmed failed" -- "$cur")
		return
		;;
	--object)
		mapfile -t COMPREPLY < <(compgen -W "bundle enrollee device node" -- "$cur")
		return
		;;
	esac

	# The words so far that are neither options nor their values.
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		[[ $word == -- ]] && {
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			return
		}
		case $word in
		--socket) ((i++)) ;;
		-*) ;;
		*) words+=("$word") ;;
		esac
	done

	local choices="--json --socket --help --version"
	while read -r line; do
		# shellcheck disable=SC2206
		local row=($line) name=()
		for word in "${row[@]}"; do
			[[ $word == -* ]] || name+=("$word")
		done
		if [[ $cur != -* && ${#words[@]} == 0 ]]; then
			choices+=" ${name[0]}"
		elif [[ $cur != -* && ${#words[@]} == 1 && ${name[0]} == "${words[0]}" ]]; then
			choices+=" ${name[1]}"
		elif [[ ${name[0]} == "${words[0]}" && (${#name[@]} == 1 || ${name[1]} == "${words[1]}") ]]; then
			choices+=" ${row[*]:${#name[@]}}"
		fi
	done < <("${COMP_WORDS[0]}" --list-commands 2>/dev/null)
	mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$cur")
}
complete -F _enrollctl enrollctl
