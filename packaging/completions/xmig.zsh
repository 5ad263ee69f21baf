#compdef xmig
# Completion of xmig's command line for zsh: 'xmig complete' knows all that can be typed.

local line word
local -a found

for line in "${(@f)$("${words[1]}" complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
    :files) _files ;;
    :hosts) _hosts ;;
    ?*)
        word=${line%%$'\t'*}
        found+=("${word//:/\\:}:${line#*$'\t'}")
        ;;
    esac
done
((!$#found)) || _describe -o xmig found
