/* The commit protocol: who may run the guest, when either side or the network
 * may fail at any step.
 *
 * Two machines, each with a guest and a journal. On each, an original process
 * (`xmig send`, `xmig recv`) and a second one on the same journal (`xmig
 * recover`; at the receiver also the process that answers a QUERY), which
 * stands for any number, one after the other. Spin lets any process rest for
 * any time between two of its steps, which is what SIGSTOP does; world() does
 * every other evil, and nothing limits how often, until it declares calm.
 *
 * A process touches its journal and its guest in one pattern only, a SECTION:
 * take the lock, read, make durable what was read, append, sync, do what the
 * record permits, release. Between sections it keeps nothing in memory but its
 * connection: what it must know it reads again.
 *
 * The claims stand at the end; ONLY=n checks the one claim n. BUG_... leaves a
 * rule out, to see that it is needed.
 */

#ifdef ONLY
#define CHECKED(claim) (ONLY == claim)
#else
#define CHECKED(claim) true
#endif
#define CLAIM(claim, holds) assert(!CHECKED(claim) || (holds))
#define ONE_COPY_RUNS 1
#define OWNER_RUNS 2
#define NOTHING_LOST 3
#define LISTED 4
#define NEVER_RAN 5
#define AGREEMENT 6
#define VERDICT 7

mtype = {
    /* records; NONE is the empty journal */
    NONE, BEGIN, WORD, CLOSED,
    PAUSING, COMMIT, ABORTED, DONE, PROOF,
    PREPARED, OWNED, RESUMING, RUNNING, REFUSED, RELINQUISHED, DESTROYED, LOST,
    /* messages. QUERY is sent as the sender's last record, its answer as the
     * receiver's, or UNKNOWN, or WAIT; `ready` is PREPARED, `running` RUNNING.
     */
    RAM, GO, ABORT, UNKNOWN, WAIT,
    /* what a receiver acts upon besides messages */
    NOTHING, LEASE, OPERATOR,
    /* guests */
    ABSENT, PAUSED, RUNS, GONE,
    /* for the story that `spin -t` tells of a counterexample */
    SENDER, RECEIVER
};

#define SEND 0
#define RECV 1
#define OTHER(side) (1 - (side))
#define NAME(side) (side == SEND -> SENDER : RECEIVER)

/* ---- machines ---- */

mtype last[2] = NONE;    /* the journal's last record as a reader sees it; UNKNOWN: unreadable */
mtype durable[2] = NONE; /* the same after a reset of the machine */
byte lock[2];            /* whose flock it is; 0: nobody's */
mtype guest[2];          /* the receiver's is ABSENT until it is complete */
bool dead[2];            /* the machine never comes back */
bool lease;              /* the receiver does not wait for ever */
bool calm;               /* no more faults */

/* What the journals have durably said, and whether a vCPU of the target's copy
 * has run: for the claims, and where a journal's earlier records matter.
 */
bool source_has_it, by_word, target_by_word;
bool complete, owned, refused, relinquished, target_final, ran;
bool listed;

#include "permitted.pml"

#define HAS_SOURCE(record) (record == ABORTED || record == PROOF || record == WORD)

/* Words that a person may give with `--peer-is-dead`. They are true when the
 * peer can never again run the guest.
 */
#ifdef BUG_FALSE_WORD
#define RECEIVER_IS_DEAD true
#define SENDER_IS_DEAD true
#else
#define RECEIVER_IS_DEAD (dead[RECV] || (last[RECV] == UNKNOWN && guest[RECV] == GONE))
#define SENDER_IS_DEAD (dead[SEND] || (last[SEND] == UNKNOWN && guest[SEND] == GONE))
#endif

/* ---- processes and network ---- */

/* A process is known by `me`. The originals are 1 and 2 and share line 0, the
 * session; every later pair has a line for its calls, dialled by `recover` at
 * the sender for a QUERY. Each end learns by itself that a line is broken, and
 * what it had not read by then is lost; so a late GO may still be read from a
 * line that its sender gave up long ago.
 */
#define LINE ((me - 1) / 2)
#define ORIGINAL (LINE == 0)
#define END(line, side) ((line) * 2 + (side))
#define MINE(side) END(LINE, side)

#ifdef TWO_CALLS
#define LINES 3
#else
#define LINES 2
#endif

chan inbox[LINES * 2] = [2] of { mtype };
bool up[LINES * 2];

#define HEARS(side) nempty(inbox[MINE(side)])
#define BROKEN(side) (up[MINE(side)] && (!calm || !up[MINE(OTHER(side))]))

inline say(side, message)
{
    d_step {
        if
        :: up[MINE(side)] && up[MINE(OTHER(side))] ->
            assert(nfull(inbox[MINE(OTHER(side))]));
            inbox[MINE(OTHER(side))]!message;
            printf("%e %d says %e\n", NAME(side), me, message)
        :: else
        fi
    }
}

inline drop(end)
{
    if
    :: nempty(inbox[end]) -> inbox[end]?_
    :: empty(inbox[end])
    fi
}

inline hang_up(end)
{
    d_step {
        up[end] = false;
        drop(end);
        drop(end)
    }
}

/* A second process ends the original by pid and start time. That this may
 * come too late costs no safety. An original without its session is gone.
 */
inline end_original(side)
{
    if
    :: !calm
    :: !ORIGINAL -> hang_up(END(0, side))
    :: ORIGINAL
    fi
}

/* ---- journals ---- */

/* A process may rest between the steps of a section, or die where may_die()
 * says so: everywhere that another could tell the difference.
 *
 * COARSE makes a section one step, with the same choices to die. Nobody else
 * may touch a journal and its guest while a process rests inside, so the
 * claims come out the same; it makes room for more processes.
 */
#define STEP atomic
#ifdef COARSE
#define SECTION atomic
#else
#define SECTION
#endif

#ifdef BUG_NO_LOCK
#define FREE(side) true
#else
#define FREE(side) (lock[side] == 0)
#endif

inline make_durable(side)
{
    durable[side] = last[side];
    if
    :: side == SEND && HAS_SOURCE(durable[side]) ->
        source_has_it = true;
        by_word = by_word || durable[side] == WORD
    :: side == RECV && durable[side] == WORD -> target_by_word = true
    :: durable[side] == PREPARED -> complete = true
    :: durable[side] == OWNED -> owned = true
    :: durable[side] == REFUSED -> refused = true
    :: durable[side] == RELINQUISHED -> relinquished = true
    :: durable[side] == RUNNING || durable[side] == LOST -> target_final = true
    :: else
    fi
}

/* Locks and reads. What was read may be in the page cache only, its writer
 * killed before the fsync: whoever acts upon it makes it durable first.
 */
inline take(side)
{
    atomic { FREE(side) ->
#ifndef BUG_NO_LOCK
        lock[side] = me;
#endif
#ifndef BUG_NO_SYNC_ON_READ
        make_durable(side);
#endif
        seen = last[side]
    }
}

inline write(side, record)
{
    d_step {
        if
        :: last[side] == UNKNOWN
        :: else ->
            printf("%e %d writes %e\n", NAME(side), me, record);
            look_up(side, last[side], record);
            CLAIM(LISTED, listed);
            listed = false;
            CLAIM(NEVER_RAN, record != RELINQUISHED || !ran);
            if
            :: record == RUNNING || record == LOST -> ran = false /* of no interest any more */
            :: else
            fi;
            last[side] = record
        fi
    }
}

inline sync(side)
{
    d_step {
#ifdef BUG_NO_FSYNC
        if
        :: last[side] == COMMIT -> printf("does not sync\n")
        :: else -> make_durable(side)
        fi;
#else
        make_durable(side);
#endif
        seen = last[side]
    }
}

inline may_die(side)
{
    if
    :: true
    :: !calm ->
        printf("%e %d dies; on disk is %e\n", NAME(side), me, durable[side]);
        goto leave
    fi
}

/* Afterwards `seen` is `record`; UNKNOWN if the journal is unreadable, and
 * then nothing is permitted.
 */
inline append(side, record)
{
    STEP { may_die(side); write(side, record) }
    STEP { may_die(side); sync(side); may_die(side) }
}

inline release(side)
{
    seen = NONE;
    if
    :: lock[side] == me -> lock[side] = 0
    :: else
    fi
}

/* ---- sender ---- */

/* Does what the sender's last record permits; harmless to repeat. */
inline act_as_sender()
{
    d_step {
        if
        :: HAS_SOURCE(seen) && guest[SEND] == PAUSED ->
            guest[SEND] = RUNS;
            printf("SENDER %d lets the guest run\n", me)
        :: seen == DONE && guest[SEND] == PAUSED ->
            CLAIM(NOTHING_LOST, target_final);
            guest[SEND] = GONE;
            printf("SENDER %d destroys the paused copy\n", me)
        :: else
        fi
    }
}

inline pause()
{
    d_step {
        if
        :: guest[SEND] == RUNS -> guest[SEND] = PAUSED; printf("SENDER %d pauses the guest\n", me)
        :: else
        fi
    }
}

/* What `recover` finds to do without asking the peer. */
#define SENDER_HAS_WORK (last[SEND] == BEGIN || last[SEND] == PAUSING || \
    ((HAS_SOURCE(last[SEND]) || last[SEND] == DONE) && guest[SEND] == PAUSED) || \
    last[SEND] != durable[SEND])

/* In calm, two calls must do for a verdict; of two that call at the same time, two each. */
#define ENOUGH_CALLS (2 * (LINES - 1))
byte calls;

#ifdef BUG_ABORTED_IS_NOT_TOLD
#define NEED_NOT_ASK (last[SEND] == CLOSED || last[SEND] == UNKNOWN || last[SEND] == ABORTED)
#else
#define NEED_NOT_ASK (last[SEND] == CLOSED || last[SEND] == UNKNOWN)
#endif
#define SENDER_HAS_A_QUESTION (!SENDER_HAS_WORK && !NEED_NOT_ASK && calls < ENOUGH_CALLS)
#define CALLING (up[MINE(SEND)] || up[MINE(RECV)])

proctype sender(byte me)
{
    mtype seen = NONE, next = NONE, heard = NONE;

    if
    :: !ORIGINAL -> goto recover
    :: ORIGINAL
    fi;

    /* After the other stages: the guest pauses for good. */
    SECTION {
        STEP { up[MINE(SEND)] -> take(SEND);
            if
            :: seen == BEGIN && guest[SEND] == RUNS
            :: else -> goto leave
            fi
        }
        append(SEND, PAUSING);
        STEP {
            if
            :: seen == PAUSING -> pause()
            :: else -> goto leave
            fi
        }
        if
        :: STEP { guest[SEND] == PAUSED -> say(SEND, RAM); release(SEND) }
        /* The last pass fails, and QEMU lets the guest run again by itself. */
        :: STEP { guest[SEND] == PAUSED && !calm ->
            guest[SEND] = RUNS;
            printf("the last pass fails, the guest runs by itself\n");
            say(SEND, ABORT);
            goto leave }
        :: STEP { guest[SEND] == GONE -> say(SEND, ABORT); goto leave }
        fi
    }

listen:
    if
    :: STEP { HEARS(SEND) && FREE(SEND) -> inbox[MINE(SEND)]?heard; goto judge }
    :: STEP { BROKEN(SEND) -> goto leave }
    :: STEP { ORIGINAL && up[MINE(SEND)] && !calm -> say(SEND, ABORT); goto leave }
    :: STEP { !ORIGINAL && !up[MINE(SEND)] -> goto leave }
    fi;

    /* The receiver's journal has spoken. WAIT and ABORT prove nothing. */
    SECTION {
        STEP { false ->
judge:
            take(SEND);
            if
            :: seen == PAUSING && heard == PREPARED ->
                CLAIM(AGREEMENT, guest[SEND] != RUNS);
                next = COMMIT
            :: seen == COMMIT && heard == PREPARED -> goto go
            :: seen == COMMIT && (heard == RUNNING || heard == LOST) -> next = DONE
            :: seen == COMMIT && heard == DESTROYED -> next = PROOF
#ifdef BUG_UNKNOWN_IS_REFUSED
            :: seen == COMMIT && heard == UNKNOWN -> next = PROOF
#endif
#ifdef BUG_ABORT_IS_PROOF
            :: seen == COMMIT && heard == ABORT -> next = PROOF
#endif
            :: (HAS_SOURCE(seen) || seen == DONE) && guest[SEND] != PAUSED &&
               (heard == CLOSED || heard == UNKNOWN) -> next = CLOSED
            /* It has given the guest back, and may not have heard yet that it runs here. */
            :: HAS_SOURCE(seen) && guest[SEND] != PAUSED && heard == DESTROYED ->
                say(SEND, seen);
                next = NONE; heard = NONE;
                release(SEND);
                goto listen
            :: else -> goto leave
            fi;
write_it:
            skip
        }
        append(SEND, next);
        STEP {
            if
            :: seen == COMMIT ->
go:
                say(SEND, GO);
                next = NONE; heard = NONE;
                release(SEND);
                goto listen
            :: else -> act_as_sender(); goto leave
            fi
        }
    }

    STEP { false ->
leave:
        hang_up(MINE(SEND));
        next = NONE; heard = NONE;
        release(SEND);
        if
        :: !ORIGINAL
        :: ORIGINAL -> goto over
        fi
    }

recover:
    if
    /* First what the journal and the machine decide alone. */
    :: STEP { SENDER_HAS_WORK && FREE(SEND) && !dead[SEND] -> take(SEND);
        end_original(SEND);
        if
        :: seen == BEGIN || seen == PAUSING ->
#ifdef BUG_NO_ABORTED
            guest[SEND] = RUNS;
            printf("SENDER %d lets the guest run\n", me);
            goto leave;
#endif
            next = ABORTED;
            goto write_it
        :: else -> act_as_sender(); goto leave
        fi
       }
    /* Then ask. The QUERY reports this side's verdict, too. */
    :: STEP { SENDER_HAS_A_QUESTION && !CALLING && FREE(SEND) && !dead[SEND] && !dead[RECV] ->
        take(SEND);
        end_original(SEND);
        CLAIM(AGREEMENT, guest[SEND] != RUNS || (seen != COMMIT && seen != DONE));
        up[MINE(SEND)] = true;
        up[MINE(RECV)] = true;
        if
        :: calm -> calls++
        :: else
        fi;
        say(SEND, seen);
        release(SEND);
        goto listen
       }
    /* A person says that the receiver can never again run the guest. */
    :: STEP { last[SEND] == COMMIT && RECEIVER_IS_DEAD && FREE(SEND) && !dead[SEND] ->
        take(SEND);
        end_original(SEND);
        next = WORD;
        goto write_it
       }
    fi;
over:
    false
}

/* ---- receiver ---- */

/* Does what the receiver's last record permits; harmless to repeat. */
inline act_as_receiver()
{
    d_step {
        if
        :: (seen == REFUSED || seen == RELINQUISHED) && guest[RECV] != GONE ->
            CLAIM(NOTHING_LOST, relinquished || (refused && !owned));
            guest[RECV] = GONE;
            printf("RECEIVER %d destroys the paused copy\n", me)
        /* Deletes the images: incomplete ones at once. */
        :: seen == DESTROYED && !complete
#ifdef BUG_IMAGES_GO_EARLY
        :: seen == DESTROYED && complete -> CLAIM(NOTHING_LOST, source_has_it)
#endif
        :: seen == CLOSED && complete && !target_final -> CLAIM(NOTHING_LOST, source_has_it)
        :: else
        fi
    }
}

/* Nobody knows whether a copy that dies meanwhile has run. */
inline resume()
{
    d_step {
        if
        :: guest[RECV] == PAUSED ->
            guest[RECV] = RUNS;
            ran = true;
            printf("RECEIVER %d lets the guest run\n", me)
        :: else
        fi
    }
}

/* On the operator's word there is nobody left to give the guest back to. */
#define GIVE_UP (target_by_word -> LOST : RELINQUISHED)

#define RECEIVER_HAS_WORK (last[RECV] == WORD || last[RECV] == OWNED || \
    last[RECV] == RESUMING || last[RECV] == REFUSED || last[RECV] == RELINQUISHED || \
    (last[RECV] == PREPARED && guest[RECV] == GONE))

#define AT_LEISURE (!ORIGINAL && !up[MINE(RECV)] && FREE(RECV) && !dead[RECV])

proctype receiver(byte me)
{
    mtype seen = NONE, next = NONE, order = NOTHING;

listen:
    if
    :: STEP { HEARS(RECV) && FREE(RECV) -> inbox[MINE(RECV)]?order; goto work }
    :: STEP { BROKEN(RECV) -> goto leave }
    :: STEP { ORIGINAL && up[MINE(RECV)] && !calm -> say(RECV, ABORT); goto leave }
    /* Another process is at it. */
    :: STEP { HEARS(RECV) && !ORIGINAL && !calm &&
              (!FREE(RECV) || (RECEIVER_HAS_WORK && up[END(0, RECV)])) ->
        inbox[MINE(RECV)]?_;
        say(RECV, WAIT);
        goto listen }
    /* Goes on where a dead process stopped. */
    :: STEP { AT_LEISURE &&
              (last[RECV] == BEGIN || RECEIVER_HAS_WORK || last[RECV] != durable[RECV]) ->
        goto work }
    :: STEP { AT_LEISURE && last[RECV] == PREPARED && lease -> order = LEASE; goto work }
    /* A person says that the sender can never again run the guest. */
    :: STEP { AT_LEISURE && last[RECV] == PREPARED && SENDER_IS_DEAD ->
        order = OPERATOR;
        goto work }
    fi;

    SECTION {
        STEP { false ->
work:
            take(RECV);
            end_original(RECV);
            CLAIM(AGREEMENT, guest[RECV] != RUNS || seen == UNKNOWN || seen == RESUMING ||
                             target_final);
            if
            :: seen == BEGIN && order == RAM && guest[RECV] == ABSENT ->
                guest[RECV] = PAUSED;
                next = PREPARED
            :: seen == BEGIN && (order != RAM || guest[RECV] != ABSENT) ->
                CLAIM(AGREEMENT, order != COMMIT);
                next = REFUSED

            :: seen == PREPARED && guest[RECV] == GONE -> next = REFUSED
            :: seen == PREPARED && guest[RECV] != GONE && order == GO -> next = OWNED
            :: seen == PREPARED && guest[RECV] != GONE && order == OPERATOR -> next = WORD
            :: seen == PREPARED && guest[RECV] != GONE &&
               (order == ABORT || order == LEASE || HAS_SOURCE(order)) -> next = REFUSED

            :: seen == WORD && guest[RECV] != GONE -> next = OWNED
            :: seen == WORD && guest[RECV] == GONE -> next = LOST

            :: seen == OWNED && guest[RECV] != GONE -> next = RESUMING
            /* No copy any more, or no way to resume it: no vCPU was asked to run. */
            :: seen == OWNED && (guest[RECV] == GONE || !calm) -> next = GIVE_UP

            /* Found so: it may have run and stopped since, whatever it is now. */
            :: seen == RESUMING && guest[RECV] == RUNS -> next = RUNNING
            :: seen == RESUMING && guest[RECV] == PAUSED -> resume(); next = RUNNING
            :: seen == RESUMING && guest[RECV] == PAUSED && !calm ->
#ifdef BUG_LATE_RELINQUISH
                next = RELINQUISHED
#else
                next = LOST
#endif
            :: seen == RESUMING && guest[RECV] == GONE -> next = LOST

            :: seen == REFUSED || seen == RELINQUISHED -> act_as_receiver(); next = DESTROYED

            /* The sender has reported what it wrote: nothing is left to do. */
            :: seen == DESTROYED && HAS_SOURCE(order) -> next = CLOSED
            :: (seen == RUNNING || seen == LOST) && order == DONE -> next = CLOSED
#ifdef BUG_LEASE_AFTER_OWNED /* its clock fires, and nobody looks */
            :: (seen == OWNED || seen == RESUMING || seen == RUNNING) && lease -> next = REFUSED
#endif
            :: else -> goto answer
            fi
        }
write_it:
        append(RECV, next);
        if
        :: STEP { next != RESUMING || seen != RESUMING -> act_as_receiver(); goto answer }
        /* The first act that can run a vCPU, under the lock of its record. */
#ifdef BUG_ACT_AFTER_RELEASE
        :: STEP { next == RESUMING && seen == RESUMING -> release(RECV) }
            if
            :: STEP { resume(); goto answer }
            :: STEP { guest[RECV] == PAUSED && !calm -> take(RECV);
                if
                :: seen == RESUMING -> next = GIVE_UP; goto write_it
                :: else -> goto answer
                fi }
            fi
#else
        :: STEP { next == RESUMING && seen == RESUMING -> resume(); goto answer }
        /* It returned an error. */
        :: STEP { next == RESUMING && seen == RESUMING && guest[RECV] == PAUSED && !calm ->
            next = GIVE_UP;
            goto write_it }
#endif
        fi;
        STEP { false ->
answer:
            next = NONE; order = NOTHING;
            if
            :: RECEIVER_HAS_WORK -> release(RECV)
            :: else ->
                say(RECV, seen);
                if
                :: ORIGINAL && seen != PREPARED -> goto leave
                :: else -> release(RECV); goto listen
                fi
            fi
        }
    }

    /* One record at a time, as long as somebody listens. */
    if
    :: STEP { up[MINE(RECV)] && FREE(RECV) -> goto work }
    :: STEP { BROKEN(RECV) -> goto leave }
    :: STEP { !up[MINE(RECV)] -> goto listen }
    fi;

    STEP { false ->
leave:
        hang_up(MINE(RECV));
        next = NONE; order = NOTHING;
        release(RECV);
        goto listen
    }
}

/* ---- the world ---- */

/* All processes here end; with the lock free they hold nothing but lines. What
 * was not synced is lost, or not: the kernel may have written it.
 */
inline reset(side)
{
    printf("the machine of the %e is reset\n", NAME(side));
    hang_up(END(0, side));
    hang_up(END(1, side));
#ifdef TWO_CALLS
    hang_up(END(2, side));
#endif
    if
    :: last[side] = durable[side]
    :: last[side] != durable[side] -> make_durable(side)
    fi;
    if
    :: guest[side] != ABSENT -> guest[side] = GONE
    :: else
    fi
}

inline bury(side)
{
    printf("for good\n");
    dead[side] = true;
    lose(side);
    guest[side] = GONE
}

inline lose(side)
{
    printf("the journal of the %e is unreadable\n", NAME(side));
    last[side] = UNKNOWN;
    durable[side] = UNKNOWN;
    if
    :: side == RECV -> ran = false
    :: else
    fi
}

/* Who has the guest, by what is durable. */
#define SOURCE_OWNS (HAS_SOURCE(durable[SEND]) || (durable[SEND] == CLOSED && source_has_it))
#define TARGET_OWNS (durable[RECV] == RUNNING || durable[RECV] == LOST || \
    (durable[RECV] == CLOSED && target_final))

/* A person starts the guest from its disks where `recover` says that it is. */
inline person_starts_it()
{
    if
    :: d_step { SOURCE_OWNS && guest[SEND] == GONE ->
        guest[SEND] = RUNS;
        printf("a person starts the source's guest\n") }
    :: d_step { TARGET_OWNS && guest[RECV] != RUNS ->
        guest[RECV] = RUNS;
        printf("a person starts the target's guest\n") }
    fi
}

inline guest_dies(side)
{
    guest[side] = GONE;
    printf("the guest of the %e dies\n", NAME(side))
}

active proctype world()
{
    byte me; /* writes both BEGINs */

    atomic {
        guest[SEND] = RUNS;
        guest[RECV] = ABSENT;
        write(SEND, BEGIN);
        write(RECV, BEGIN);
        make_durable(SEND);
        make_durable(RECV);
        up[END(0, SEND)] = true;
        up[END(0, RECV)] = true;
        if
        :: lease = true
        :: true
        fi;
        run sender(1);
        run receiver(2);
        run sender(3);
        run receiver(4);
#ifdef TWO_CALLS
        run sender(5);
        run receiver(6);
#endif
    }

    /* The label makes progress of every fault, so that a search for cycles
     * without progress finds those that calm does not end.
     */
progress_storm:
    do
#ifndef BUG_NO_LOCK /* needs no fault but a process that rests */
    :: atomic { !dead[SEND] && lock[SEND] == 0 -> reset(SEND) }
    :: atomic { !dead[RECV] && lock[RECV] == 0 -> reset(RECV) }
    :: atomic { !dead[SEND] && lock[SEND] == 0 -> reset(SEND); bury(SEND) }
    :: atomic { !dead[RECV] && lock[RECV] == 0 -> reset(RECV); bury(RECV) }
    :: d_step { last[SEND] != UNKNOWN -> lose(SEND) }
    :: d_step { last[RECV] != UNKNOWN -> lose(RECV) }
    :: d_step { guest[SEND] == RUNS || guest[SEND] == PAUSED -> guest_dies(SEND) }
    :: d_step { guest[RECV] == RUNS || guest[RECV] == PAUSED -> guest_dies(RECV) }
    /* Of interest until RUNNING is written. */
    :: d_step { guest[RECV] == RUNS && last[RECV] == RESUMING ->
        guest[RECV] = PAUSED;
        printf("a disk error stops the target's guest\n") }
#endif
    :: person_starts_it()
    :: d_step { calm = true; printf("calm\n") }
        break
    od;

    do
    :: person_starts_it()
    od
}

/* ---- the claims ---- */

#define TWO_RUN (guest[SEND] == RUNS && guest[RECV] == RUNS)

/* The operator's true word ends what OWNED said: the target is dead for good. */
#define SOURCE_RUNS_UNOWNED (guest[SEND] == RUNS && owned && !relinquished && !by_word)

#define BOTH_TALK (!dead[SEND] && !dead[RECV] && last[SEND] != UNKNOWN && last[RECV] != UNKNOWN)
#define BOTH_CLOSED (last[SEND] == CLOSED && last[RECV] == CLOSED && SOURCE_OWNS != TARGET_OWNS && \
    (guest[SEND] == RUNS) == SOURCE_OWNS && (guest[RECV] == RUNS) == TARGET_OWNS)

/* With a dead peer, or a journal that nobody can read, each side that can
 * still know something does; what stays open waits for a person, whose word
 * would not be true yet.
 */
#define SOURCE_KNOWS (dead[SEND] || last[SEND] == UNKNOWN || \
    (SOURCE_OWNS && guest[SEND] == RUNS) || \
    durable[SEND] == DONE || (durable[SEND] == CLOSED && target_final) || \
    (last[SEND] == COMMIT && !RECEIVER_IS_DEAD))
#define TARGET_KNOWS (dead[RECV] || last[RECV] == UNKNOWN || \
    (TARGET_OWNS && guest[RECV] == RUNS) || \
    ((durable[RECV] == DESTROYED || durable[RECV] == CLOSED) && !target_by_word) || \
    (last[RECV] == PREPARED && !lease && !SENDER_IS_DEAD))

active proctype claims()
{
    if
    :: atomic { CHECKED(ONE_COPY_RUNS) && TWO_RUN -> CLAIM(ONE_COPY_RUNS, !TWO_RUN) }
    :: atomic { CHECKED(OWNER_RUNS) && SOURCE_RUNS_UNOWNED ->
        CLAIM(OWNER_RUNS, !SOURCE_RUNS_UNOWNED) }
    :: atomic { CHECKED(VERDICT) && timeout ->
        CLAIM(VERDICT, (BOTH_TALK -> BOTH_CLOSED : SOURCE_KNOWS && TARGET_KNOWS)) }
    fi
}
