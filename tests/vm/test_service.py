#!/usr/bin/python3
"""Nodes are enrolled, directly and over the mesh, by the service that is shipped: started by its socket, confined, and
started again when it dies."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import GATEWAY, NEAR, QUICK, A, Guest, expect, faults, main, member, node, state_of  # noqa: E402

CONFINED = {"CapBnd": "0000000000000000", "CapEff": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"}


def status_of(service):
    """/proc/PID/status of its main process."""
    with open("/proc/%s/status" % state_of(service, "MainPID")["MainPID"]) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f)


def test_direct():
    with Guest([node(A, NEAR)]) as g:
        g.add(A)
        n = g.wait_joined(A)[0]
        expect(n["method"] == "direct", "in reach of our own radio: %r" % n)
        g.events.wait(A, "joined")
        expect(g.events.states(A) == ["pending", "located", "sent", "saved", "joined"], g.events.states(A))


def test_over_the_mesh():
    with Guest([member(GATEWAY, 480, 1), node(A)]) as g:
        g.order("rssi", GATEWAY, A, -60)
        g.order("ears", 100)  # or it may have nothing to propose when it is asked
        g.add(A, options=QUICK)
        n = g.wait_joined(A)[0]
        expect((n["method"], n["helper"]) == ("directed", 1), "its helper is known: %r" % n)
        g.check_ids()


def test_started_by_its_socket():
    with Guest([node(A, NEAR)], networks=()) as g:
        expect(g.stop("enrolld") == 0, "it ends well")
        expect(state_of("enrolld", "ActiveState") == {"ActiveState": "inactive"}, "nobody has asked for it")
        g.json("status")
        g.add_network(480)
        g.add(A)
        g.wait_joined(A)


def test_confined():
    with Guest([node(A, NEAR)], networks=()):
        found = status_of("enrolld")
        expect({k: found[k] for k in CONFINED} == CONFINED, found)
        expect("0" not in found["Uid"].split() + found["Gid"].split(), "not root: %r" % found)


def test_killed_at_each_step():
    faults(lambda g, _: g.kill_daemon())


main(globals())
