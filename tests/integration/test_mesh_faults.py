#!/usr/bin/python3
"""Link, bluetoothd's stand-in, adapter, node, gateway node and daemon go away at each step of an enrollment: it always
ends in the right state, and no node id is given twice."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from lab import wait_until  # noqa: E402
from meshlab import A, B, GATEWAY, NEAR, Building, check_attached_anew, expect, faults, house, main, node, over  # noqa: E402

HANGS = "bluetoothd does not answer any more; if that goes on: systemctl restart bluetooth"


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
        wait_until("the warning", lambda: HANGS in b.log_text("enrolld"), b.LIMIT)
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
        wait_until("the warning", lambda: b.log_text("enrolld").count(HANGS) > seen, b.LIMIT)
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
        wait_until("the warning", lambda: "adapter hci0 is off: rfkill unblock bluetooth; bluetoothctl power on"
                   in b.log_text("enrolld"), b.LIMIT)
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


main(globals())
