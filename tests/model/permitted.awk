# Turns transitions.txt into the Promela inline look_up(side, from, to), which
# sets `listed`. The C code beside it prints each transition when the search
# takes it for the first time; `run` looks for those that never were.

BEGIN {
    print "c_decl {"
    print "    static void taken(char *before, const char *transition)"
    print "    {"
    print "        if (!*before)"
    print "            printf(\"taken %s\\n\", transition);"
    print "        *before = 1;"
    print "    }"
    print "}"
    print "inline look_up(side, from, to)"
    print "{"
    print "    if"
}

/^#/ || !NF { next }

NF != 3 || ($1 != "send" && $1 != "recv") {
    print FILENAME ":" FNR ": not `send|recv RECORD RECORD`" > "/dev/stderr"
    failed = 1
    exit 1
}

{
    side = $1 == "send" ? "SEND" : "RECV"
    print "    :: side == " side " && from == " $2 " && to == " $3 " ->"
    print "        c_code { { static char before; taken(&before, \"" $0 "\"); } };"
    print "        listed = true"
}

END {
    if (failed)
        exit 1
    print "    :: else -> listed = false"
    print "    fi"
    print "}"
}
