#!/usr/bin/python3
"""Link, bluetoothd's stand-in, adapter, node, gateway node and daemon go away at each step of an enrollment: it always
ends in the right state, and no node id is given twice."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from meshlab import A, B, C, GATEWAY, NEAR, Building, check_attached_anew, expect, faults, house, main, node, over  # noqa: E402

D, E = "FMBBJ", "FMBBK"
HANGS = "bluetoothd does not answer any more; if that goes on: systemctl restart bluetooth"


def given_up_after(b, serial, what):
    """Tried four times at once, as link_bluez does, before enrolld is told that there is no link."""
    n = b.events.wait(serial, "waiting")
    tries = b.log_text("fakebluez").count(what)
    expect("no connection could be made" in n["reason"] and tries >= 4, "%d tries: %r" % (tries, n))


@over("bluez")
def test_peers_that_behave_badly():
    """As tests/vm/test_peers.py: the others are not held up, and each joins once it behaves. The first, since it takes
    longest."""
    bad = {A: "brief", C: "deaf", D: "silent"}
    with Building([node(s, NEAR, pos=(2, i)) for i, s in enumerate((A, B, C, D, E))]) as b:
        for serial, fault in (*bad.items(), (B, "early")):
            b.order("peer", serial, fault)
        b.add(*bad)
        given_up_after(b, A, "brief peer")
        for fault in bad.values():
            b.wait_log(fault + " peer", 1, "fakebluez")
        b.add(B)
        n = b.events.wait(B, "sent", "waiting")
        expect(n["state"] == "sent" and "early peer" in b.log_text("fakebluez"), "it is not even noticed: %r" % n)
        b.add(E)
        b.wait_joined(B, E)
        for serial in bad:
            b.order("peer", serial, "none")
        b.wait_joined(*bad)


def test_link_lost_at_every_step():
    with house() as b:
        faults(b, lambda s: b.order("lose", GATEWAY))
        check_attached_anew(b)


def test_bluetoothd_dies_at_every_step():
    """Or the process behind the radio socket."""
    with house() as b:
        faults(b, lambda s: (b.radio("die"), b.radio("revive")))


@over("bluez")
def test_adapter_goes_and_comes_at_every_step():
    with house() as b:
        faults(b, lambda s: (b.order("adapter", "off"), b.order("adapter", "on")))


def test_node_reboots_at_every_step():
    with house() as b:
        faults(b, lambda s: (b.order("node", s, "off"), b.order("node", s, "on")))


def test_gateway_node_reboots_at_every_step():
    with house() as b:
        faults(b, lambda s: (b.order("node", GATEWAY, "off"), b.order("node", GATEWAY, "on")))


def test_daemon_is_killed_at_every_step():
    with house() as b:
        faults(b, lambda s: b.kill_daemon())


@over("bluez")
def test_bluetoothd_that_hangs():
    """Nobody but the administrator can end it: the log says so. When it goes on, all goes on."""
    with Building([node(A, NEAR)]) as b:
        b.add(A)
        b.processes["fakebluez"].send_signal(signal.SIGSTOP)
        b.wait_log(HANGS)
        b.processes["fakebluez"].send_signal(signal.SIGCONT)
        b.wait_joined(A)
        expect("bluetoothd answers again" in b.log_text("enrolld"), "and it is said when it is over")
        expect(b.log_text("enrolld").count(HANGS) == 1, "once")


@over("bluez")
def test_bluetoothd_that_hangs_when_we_start():
    """The adapter is not even known then. Whoever looks into the log after a restart is told, too."""
    with Building([node(A, NEAR)]) as b:
        b.add(A)
        b.processes["fakebluez"].send_signal(signal.SIGSTOP)
        b.stop("enrolld")
        seen = b.log_text("enrolld").count(HANGS)
        b.start()
        b.wait_log(HANGS, seen + 1)
        b.processes["fakebluez"].send_signal(signal.SIGCONT)
        b.wait_joined(A)
        expect(b.log_text("enrolld").count(HANGS) == seen + 1, "once")


@over("bluez")
def test_adapter_that_is_off_when_we_start():
    """The log says so, and what to do; that done, all goes on."""
    with Building([node(A, NEAR)]) as b:
        b.order("adapter", "off")
        b.stop("enrolld")
        b.start()
        b.wait_log("adapter hci0 is off: rfkill unblock bluetooth; bluetoothctl power on")
        b.add(A)
        b.order("adapter", "on")
        b.wait_joined(A)


@over("bluez")
def test_subscription_that_is_lost_with_its_link():
    """The next one succeeds, and nothing else has to be done for it."""
    with Building([node(A, NEAR), node(B, NEAR)]) as b:
        b.order("fault", A, "nocccd")
        b.add(A)
        b.events.wait(A, "waiting")
        b.order("fault", A, "none")
        b.add(B)
        b.wait_joined(A, B)
        log = b.log_text("enrolld")
        expect("removing device" not in log and "bluetoothd has gone" not in log, "no cure is needed")


@over("bluez")
def test_discovery_that_hangs():
    """Nobody is heard any more then; only the adapter's power switch ends it."""
    with Building([node(A, NEAR)]) as b:
        b.order("bluez", "hang")
        b.wait_log("discovery hangs, switching the adapter off and on")
        b.wait_log("adapter ready", 2)
        b.add(A)
        b.wait_joined(A)
        expect(b.log_text("enrolld").count("discovery hangs") == 1, "once")


@over("bluez")
def test_subscription_refused():
    """Each try is on a link of its own, also when bluetoothd has not said that there is one."""
    with Building([node(A, NEAR), node(B, NEAR)]) as b:
        b.order("bluez", "busy")
        b.order("peer", A, "refuses")
        b.add(A, B)
        given_up_after(b, A, "refuses peer")
        b.wait_joined(B)
        b.order("peer", A, "none")
        b.wait_joined(A)
        expect("bluetoothd has gone" not in b.log_text("enrolld"), "it has lived through that")
        expect("Connect to what is connected" not in b.log_text("fakebluez"), "a link that is going is none")


@over("bluez")
def test_several_connects_at_once():
    """Nobody is told that they are connected, and characteristics come after ServicesResolved: neither is noticed."""
    with Building([node(A, NEAR), node(B, NEAR)]) as b:
        b.order("bluez", "busy")
        b.add(A, B)
        for n in b.wait_joined(A, B):
            expect(n["attempts"] == 1, "at the first attempt: %r" % n)
        b.wait_log("characteristics come late", 2, "fakebluez")
        expect("removing device" not in b.log_text("enrolld"), "no cure is needed")


@over("bluez")
def test_dead_bluetoothd_is_started_by_the_bus():
    """Nobody else would: a unit of the bus is not started again by itself."""
    with Building([node(A, NEAR)]) as b:
        b.let_bus_start_air()
        b.stop("fakebluez", signal.SIGKILL)
        b.wait_log("bluetoothd has gone")
        b.wait_log("adapter ready", 2)
        b.add(A)
        b.check(b.wait_over(A, "joined"), b.flash_of(A))


main(globals())
