/* The commit protocol: who may run the guest, when either side or the network
 * may fail at any step.
 *
 * Two machines, each with a guest and a journal. On each, an original process
 * (`xmig send`, `xmig recv`) and a second one on the same journal (`xmig
 * recover`; at the receiver also the process that answers a QUERY), which
 * stands for any number, one after the other. Spin lets any process rest for
 * any time between two of its steps, which is what SIGSTOP does; world() does
 * every other evil, and nothing limits how often, until it declares calm. Of the
 * evil are a service manager, which starts the source's old command again, and
 * foreign hands, which set a paused copy running.
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
    /* messages. QUERY is sent as the sender's last record, or as LOOK or BACK,
     * its answer as the receiver's last record, or UNKNOWN, WAIT or RAN; `ready`
     * is PREPARED, `running` RUNNING, `incomplete` BEGIN.
     */
    RAM, GO, ABORT, LOOK, BACK, UNKNOWN, WAIT, RAN,
    /* a person's choice, besides BACK */
    FORWARD,
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

/* What can be seen on the machines, and outlives them. A copy that a foreign hand
 * has set running counts as PAUSED in guest[], and as touched or ran: whether it
 * runs at this moment makes no difference to anybody.
 */
bool touched; /* the source's copy is not as xmig has left it: it has run since, or another runs */
bool fenced;  /* the source's old command finds no images */
bool ran;     /* the target's copy has run, and no person has given it up */

/* What the journals have durably said: for the claims, and where a journal's
 * earlier records matter.
 */
bool source_has_it, by_word, target_by_word;
bool complete, owned, refused, relinquished, target_final;
bool listed;

#include "permitted.pml"

#define HAS_SOURCE(record) (record == ABORTED || record == PROOF || record == WORD)

/* A person: for words, choices, and to start or end a guest by hand. */
#ifdef NOBODY
#define PERSON (!calm)
#else
#define PERSON true
#endif

/* Words that a person may give with `--peer-is-dead`. They are true when the
 * peer can never again run the guest, nor a habit there start it.
 */
#ifdef BUG_FALSE_WORD
#define RECEIVER_IS_DEAD true
#define SENDER_IS_DEAD true
#else
#define RECEIVER_IS_DEAD (dead[RECV] || (last[RECV] == UNKNOWN && guest[RECV] == GONE))
#define SENDER_IS_DEAD (dead[SEND] || (last[SEND] == UNKNOWN && guest[SEND] == GONE && fenced))
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

/* In calm, two calls must bring a new record; of two that call at the same time, two each. */
#define ENOUGH_CALLS (2 * (LINES - 1))
#define ENOUGH_CHOICES (2 * (LINES - 1))
byte calls, choices;

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
            CLAIM(NEVER_RAN, (record != RELINQUISHED && record != REFUSED) || !ran);
            if
            :: record == RUNNING || record == LOST -> ran = false /* of no interest any more */
            :: else
            fi;
            last[side] = record;
            calls = 0
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
        :: HAS_SOURCE(seen) ->
            fenced = false;
            touched = false;
            if
            :: guest[SEND] == PAUSED ->
                guest[SEND] = RUNS;
                printf("SENDER %d lets the guest run\n", me)
            :: else
            fi
        :: seen == DONE && guest[SEND] == PAUSED && !touched ->
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

/* Its own copy dead, a complete one may be at the target: nothing is decided unseen. */
#ifdef BUG_ABORT_BEFORE_LOOK
#define MUST_LOOK(record) false
#else
#define MUST_LOOK(record) (record == PAUSING && guest[SEND] == GONE)
#endif

/* To be written without a person's word: nothing complete is given up for a dead copy. */
#define KEEPS_THE_COMPLETE (guest[SEND] != GONE || last[RECV] != PREPARED || guest[RECV] != PAUSED)

/* What `recover` finds to do without asking the peer. */
#define SENDER_HAS_WORK (last[SEND] == BEGIN || \
    (last[SEND] == PAUSING && !MUST_LOOK(PAUSING)) || \
    (HAS_SOURCE(last[SEND]) && (guest[SEND] == PAUSED || fenced || touched)) || \
    (last[SEND] == DONE && guest[SEND] == PAUSED && !touched) || \
    last[SEND] != durable[SEND])


/* The last look, before COMMIT and before GO: is its own copy as it was paused, or dead
 * and its images as they were? Before GO the source looks for others, too.
 */
#if defined(BUG_NO_LAST_LOOK)
#define AS_IT_WAS (!touched || guest[SEND] == PAUSED)
#elif defined(BUG_FORWARD_WITHOUT_PROOF)
#define AS_IT_WAS (!touched || guest[SEND] == GONE)
#else
#define AS_IT_WAS (!touched)
#endif
#ifdef BUG_NO_LOOK_FOR_OTHERS
#define NOBODY_ELSE true
#else
#define NOBODY_ELSE (guest[SEND] != RUNS)
#endif

#ifdef BUG_ABORTED_IS_NOT_TOLD
#define NEED_NOT_ASK (last[SEND] == CLOSED || last[SEND] == UNKNOWN || last[SEND] == ABORTED)
#else
#define NEED_NOT_ASK (last[SEND] == CLOSED || last[SEND] == UNKNOWN)
#endif
#define ASKS_AGAIN (calls < ENOUGH_CALLS || (last[SEND] == PAUSING && !ONLY_A_PERSON))
#define SENDER_HAS_A_QUESTION (!SENDER_HAS_WORK && !NEED_NOT_ASK && ASKS_AGAIN)
#define CALLING (up[MINE(SEND)] || up[MINE(RECV)])
#define CAN_CALL (!CALLING && FREE(SEND) && !dead[SEND] && !dead[RECV])

/* What only a person can decide, who sees both hosts. */
#define TARGET_RAN (ran && (last[RECV] == PREPARED || last[RECV] == REFUSED || \
                            last[RECV] == RELINQUISHED))
#ifdef BUG_FORWARD_WITHOUT_PROOF
#define HAS_PROOF true
#else
#define HAS_PROOF (!touched)
#endif
#define MAY_GO_FORWARD (HAS_PROOF && last[RECV] == PREPARED && \
    ((last[SEND] == PAUSING && guest[SEND] == GONE) || (last[SEND] == COMMIT && ran)))
/* Where the journals do not decide. */
#define ONLY_A_PERSON (TARGET_RAN || \
    (last[SEND] == PAUSING && guest[SEND] == GONE && last[RECV] == PREPARED) || \
    ((last[SEND] == COMMIT || last[SEND] == DONE) && touched))
#define MAY_GO_BACK ((last[SEND] == COMMIT && (touched || TARGET_RAN)) || \
                     (HAS_SOURCE(last[SEND]) && TARGET_RAN))
#define HAS_A_CHOICE (PERSON && !SENDER_HAS_WORK && choices < ENOUGH_CHOICES)

inline begin_anew()
{
    if
    :: calm -> choices++; calls = 0
    :: else
    fi
}

inline call(question)
{
    take(SEND);
    end_original(SEND);
    CLAIM(AGREEMENT, guest[SEND] != RUNS || touched || (seen != COMMIT && seen != DONE));
    up[MINE(SEND)] = true;
    up[MINE(RECV)] = true;
    say(SEND, question);
    release(SEND)
}

proctype sender(byte me)
{
    /* While it listens, `next` is what it has asked for. */
    mtype seen = NONE, next = NONE, heard = NONE;

    if
    :: !ORIGINAL -> goto recover
    :: ORIGINAL
    fi;

    /* After the other stages: the guest pauses for good. */
    SECTION {
        STEP { up[MINE(SEND)] -> take(SEND);
            if
            :: seen == BEGIN && guest[SEND] == RUNS && !touched
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
        :: STEP { guest[SEND] != PAUSED -> say(SEND, ABORT); goto leave }
        fi
    }

listen:
    if
    :: STEP { HEARS(SEND) && FREE(SEND) -> inbox[MINE(SEND)]?heard; goto judge }
    :: STEP { BROKEN(SEND) -> goto leave }
    :: STEP { ORIGINAL && up[MINE(SEND)] && !calm && guest[SEND] != GONE ->
        say(SEND, ABORT);
        goto leave }
    :: STEP { ORIGINAL && up[MINE(SEND)] && !calm && guest[SEND] == GONE -> goto leave }
    :: STEP { !ORIGINAL && !up[MINE(SEND)] -> goto leave }
    fi;

    /* The receiver's journal has spoken. WAIT and ABORT prove nothing. */
    SECTION {
        STEP { false ->
judge:
            take(SEND);
            if
            :: seen == PAUSING && ((heard == PREPARED && next != LOOK) || heard == RAN) &&
               guest[SEND] == (next == FORWARD -> GONE : PAUSED) ->
                if
                :: AS_IT_WAS -> next = COMMIT
                :: else -> goto leave
                fi
            :: seen == PAUSING && next == LOOK && guest[SEND] == GONE &&
               (heard == BEGIN || heard == DESTROYED || heard == UNKNOWN) ->
                CLAIM(NOTHING_LOST, KEEPS_THE_COMPLETE);
                next = ABORTED
            :: seen == COMMIT && (heard == PREPARED || (heard == RAN && next == FORWARD)) -> goto go
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
            :: seen == COMMIT
            :: else -> act_as_sender(); goto leave
            fi;
go:
            next = NONE; heard = NONE
        }
        if
        :: STEP { true ->
#ifndef BUG_NO_FENCE
            fenced = true;
#endif
            may_die(SEND) }
        /* The fence fails: withdraw, if there is a copy to go back to. */
        :: STEP { !calm && guest[SEND] != GONE ->
            say(SEND, ABORT);
            release(SEND);
            goto listen }
        :: STEP { !calm && guest[SEND] == GONE -> goto leave }
        fi;
        STEP {
            if
            :: NOBODY_ELSE && (AS_IT_WAS || guest[SEND] == RUNS) ->
                CLAIM(NOTHING_LOST, !touched);
                say(SEND, GO);
                release(SEND);
                goto listen
            :: else -> goto leave
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
        :: seen == BEGIN || (seen == PAUSING && !MUST_LOOK(PAUSING)) ->
            CLAIM(NOTHING_LOST, KEEPS_THE_COMPLETE);
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
    :: STEP { SENDER_HAS_A_QUESTION && CAN_CALL ->
        if
        :: calm && calls < ENOUGH_CALLS -> calls++
        :: else
        fi;
        if
        :: last[SEND] == PAUSING -> next = LOOK; call(LOOK)
        :: else -> call(seen)
        fi;
        goto listen
       }
    /* A person chooses the target's copy, or gives it up. */
    :: STEP { HAS_A_CHOICE && MAY_GO_FORWARD && CAN_CALL ->
        begin_anew();
        next = FORWARD;
        call((last[SEND] == COMMIT -> COMMIT : LOOK));
        goto listen
       }
    :: STEP { HAS_A_CHOICE && MAY_GO_BACK && CAN_CALL ->
        begin_anew();
        call(BACK);
        goto listen
       }
    :: STEP { HAS_A_CHOICE && last[SEND] == PAUSING && guest[SEND] == GONE &&
              FREE(SEND) && !dead[SEND] ->
        begin_anew();
        take(SEND);
        end_original(SEND);
        next = ABORTED;
        goto write_it
       }
    /* A person says that the receiver can never again run the guest. */
    :: STEP { PERSON && last[SEND] == COMMIT && RECEIVER_IS_DEAD && FREE(SEND) && !dead[SEND] ->
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

/* Looked at before a verdict, and again before anything is destroyed. */
#ifdef BUG_RETURN_AFTER_RUN
#define HAS_RUN false
#else
#define HAS_RUN ran
#endif

/* Does what the receiver's last record permits; harmless to repeat. */
inline act_as_receiver()
{
    d_step {
        if
        :: (seen == REFUSED || seen == RELINQUISHED) && guest[RECV] != GONE && !HAS_RUN ->
            CLAIM(NOTHING_LOST, !ran && (relinquished || (refused && !owned)));
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
#define GIVE_UP (target_by_word || HAS_RUN -> LOST : RELINQUISHED)

#define RECEIVER_HAS_WORK (last[RECV] == WORD || last[RECV] == OWNED || \
    last[RECV] == RESUMING || \
    (!HAS_RUN && (last[RECV] == REFUSED || last[RECV] == RELINQUISHED || \
                  (last[RECV] == PREPARED && guest[RECV] == GONE))))

/* A dead copy that has never run is worth no more than the source's; one that has run is. */
#define DEAD_COPY (guest[RECV] == GONE && !HAS_RUN)
#define GIVEN_BACK (DEAD_COPY || \
    (!HAS_RUN && (order == ABORT || order == LEASE || HAS_SOURCE(order))))

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
    :: STEP { AT_LEISURE && last[RECV] == PREPARED && lease && !HAS_RUN -> order = LEASE; goto work }
    /* A person says that the sender can never again run the guest. */
    :: STEP { PERSON && AT_LEISURE && last[RECV] == PREPARED && SENDER_IS_DEAD ->
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
            /* Who still receives may be about to write PREPARED. */
            :: seen == BEGIN && order == LOOK ->
                if
                :: up[END(0, RECV)] -> seen = WAIT
                :: else
                fi;
                goto answer
            :: seen == BEGIN && order != LOOK && (order != RAM || guest[RECV] != ABSENT) ->
                CLAIM(AGREEMENT, order != COMMIT);
                next = REFUSED

            :: seen == PREPARED && order == BACK -> ran = false; next = REFUSED
            :: seen == PREPARED && order != BACK && GIVEN_BACK -> next = REFUSED
            :: seen == PREPARED && !DEAD_COPY && order == GO -> next = OWNED
            /* A disk there has lost its name. */
            :: seen == PREPARED && !HAS_RUN && order == GO && !calm -> next = REFUSED
            :: seen == PREPARED && !DEAD_COPY && order == OPERATOR -> next = WORD

            :: seen == WORD && guest[RECV] != GONE -> next = OWNED
            :: seen == WORD && guest[RECV] == GONE -> next = LOST

            :: seen == OWNED && guest[RECV] != GONE -> next = RESUMING
            /* No copy any more, or no way to resume it: no vCPU was asked to run. */
            :: seen == OWNED && (guest[RECV] == GONE || (!calm && !HAS_RUN)) -> next = GIVE_UP

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

            :: (seen == REFUSED || seen == RELINQUISHED) && (!HAS_RUN || order == BACK) ->
                ran = ran && order != BACK;
                act_as_receiver();
                next = DESTROYED

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
                :: seen == RESUMING -> next = (target_by_word -> LOST : RELINQUISHED); goto write_it
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
                if
                :: TARGET_RAN && seen == last[RECV] -> say(RECV, RAN)
                :: else -> say(RECV, seen)
                fi;
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
    guest[side] = GONE;
    if
    :: side == SEND -> touched = false; fenced = true
    :: else
    fi
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

/* A person starts the guest from its disks where `recover` says that it is, ends an old
 * copy that has run since the pause, and keeps habits from what nobody can read.
 */
inline person_helps()
{
    if
    :: d_step { PERSON && SOURCE_OWNS && guest[SEND] == GONE ->
        guest[SEND] = RUNS;
        printf("a person starts the source's guest\n") }
    :: d_step { PERSON && TARGET_OWNS && guest[RECV] != RUNS ->
        guest[RECV] = RUNS;
        printf("a person starts the target's guest\n") }
    :: d_step { PERSON && durable[SEND] == DONE && touched && guest[SEND] != GONE ->
        guest[SEND] = GONE;
        calls = 0;
        printf("a person ends the source's old copy\n") }
    :: d_step { PERSON && last[SEND] == UNKNOWN && guest[SEND] == GONE && !fenced &&
                lock[SEND] == 0 ->
        fenced = true;
        printf("a person fences the source's images\n") }
    fi
}

/* A service manager: it knows nothing of the journal. */
inline restart()
{
    guest[SEND] = RUNS;
    touched = !SOURCE_OWNS;
    printf("a service manager starts the source's guest\n")
}

inline foreign_hand(side)
{
    if
    :: side == SEND -> touched = true
    :: else -> ran = true
    fi;
    printf("a foreign hand sets the copy of the %e running\n", NAME(side))
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
#ifndef NO_LOSSES
    :: atomic { !dead[SEND] && lock[SEND] == 0 -> reset(SEND); bury(SEND) }
    :: atomic { !dead[RECV] && lock[RECV] == 0 -> reset(RECV); bury(RECV) }
    :: d_step { last[SEND] != UNKNOWN -> lose(SEND) }
    :: d_step { last[RECV] != UNKNOWN -> lose(RECV) }
#endif
    :: d_step { guest[SEND] == RUNS || guest[SEND] == PAUSED -> guest_dies(SEND) }
    :: d_step { guest[RECV] == RUNS || guest[RECV] == PAUSED -> guest_dies(RECV) }
    /* Of interest until RUNNING is written. */
    :: d_step { guest[RECV] == RUNS && last[RECV] == RESUMING ->
        guest[RECV] = PAUSED;
        printf("a disk error, or a foreign hand, stops the target's guest\n") }
#ifndef NO_OTHERS
    :: d_step { guest[SEND] == GONE && !fenced && !dead[SEND] -> restart() }
    :: d_step { guest[SEND] == PAUSED && !touched &&
                (last[SEND] == PAUSING || last[SEND] == COMMIT || last[SEND] == DONE) ->
        foreign_hand(SEND) }
    :: d_step { guest[RECV] == PAUSED && !ran && complete && lock[RECV] == 0 &&
                (last[RECV] == PREPARED || last[RECV] == OWNED || last[RECV] == REFUSED ||
                 last[RECV] == RELINQUISHED) ->
        foreign_hand(RECV) }
#endif
#endif
    :: person_helps()
    :: d_step { calm = true; printf("calm\n") }
        break
    od;

    do
    :: person_helps()
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
    (last[RECV] == PREPARED && (!lease || ran) && !SENDER_IS_DEAD) || \
    ((last[RECV] == REFUSED || last[RECV] == RELINQUISHED) && ran))

#ifdef NOBODY
#define SETTLED (!BOTH_TALK || ONLY_A_PERSON || (last[SEND] == CLOSED && last[RECV] == CLOSED))
#else
#define SETTLED (BOTH_TALK -> BOTH_CLOSED : SOURCE_KNOWS && TARGET_KNOWS)
#endif

active proctype claims()
{
    if
    :: atomic { CHECKED(ONE_COPY_RUNS) && TWO_RUN -> CLAIM(ONE_COPY_RUNS, !TWO_RUN) }
    :: atomic { CHECKED(OWNER_RUNS) && SOURCE_RUNS_UNOWNED ->
        CLAIM(OWNER_RUNS, !SOURCE_RUNS_UNOWNED) }
    :: atomic { CHECKED(VERDICT) && timeout ->
        CLAIM(VERDICT, SETTLED) }
    fi
}
