# Completion of xmig's command line for fish: 'xmig complete' knows all that can be typed.

function __xmig_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] complete $words[2..-1] 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path (commandline -ct)
            case :hosts
                __fish_print_hostnames
            case '*'
                echo $line
        end
    end
end

complete -c xmig -f -a '(__xmig_complete)'
