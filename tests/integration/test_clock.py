#!/usr/bin/python3
"""Lifetimes as people see them: clocks that step, machines that were off, keys that rotate, what is taken back.

enrolld sees the clocks that a preloaded library shows it (tests/support/killshim.c): time that passes moves both,
a step moves the wall clock alone, a new boot has another boot id and begins its boot clock anew.
"""
import os
import sys
import tempfile
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402
from ip_service import Service, raw_of  # noqa: E402
from lab import BUILD, wait_until  # noqa: E402

SHIM = os.path.join(BUILD, "tests", "killshim.so")
MINUTE, HOUR, DAY = 60, 3600, 86400
MONTHS_13 = 396 * DAY
DATA = 65


class World(Service):
    def __init__(self, **enroll):
        self.boot = self.wall = 0
        self.files = os.path.join(tempfile.gettempdir(), "enrolld-clock-" + uuid.uuid4().hex)
        self.clock, self.boot_id = self.files + ".clock", self.files + ".boot"
        self.env = {"LD_PRELOAD": SHIM, "SHIM_CLOCK": self.clock, "SHIM_BOOT_ID": self.boot_id}
        self.set()
        self.new_boot_id()
        super().__init__(env=self.env, **enroll)

    def close(self):
        super().close()
        for path in (self.clock, self.boot_id):
            os.unlink(path)

    def set(self):
        with open(self.clock + ".new", "w") as f:
            f.write("%d %d\n" % (self.boot, self.wall))
        os.rename(self.clock + ".new", self.clock)

    def new_boot_id(self):
        with open(self.boot_id, "w") as f:
            f.write(str(uuid.uuid4()) + "\n")

    def passes(self, seconds):
        self.boot += seconds
        self.wall += seconds
        self.set()

    def steps(self, seconds):
        self.wall += seconds
        self.set()

    def reboots(self, wall_s):
        """Off, and on again with a wall clock that has gone so far."""
        self.stop("enrolld")
        with open("/proc/uptime") as f:
            self.boot = 30 - int(float(f.read().split()[0]))
        self.wall += wall_s
        self.set()
        self.new_boot_id()
        self.start(env=self.env)

    def state(self, bundle):
        return self.json("bundle", "show", bundle["id"])["bundle"]["state"]


def some(w, *names):
    """(bundle, message) of devices that are expected for 24 hours."""
    made = {}
    for name in names:
        bundle = w.announced(name)[1]
        made[name] = (bundle, w.message_of(name, bundle["text"]))
    return made


def test_steps_within_a_boot_expire_nothing_and_revive_nothing():
    with World() as w:
        witness, _ = w.witness()
        d = some(w, "dead", "back", "forth")
        w.passes(23 * HOUR)
        d.update(some(w, "late"))
        fresh = w.json("bundle", "issue")["bundles"][0]
        w.passes(2 * HOUR)  # the first three are over
        for step in (-HOUR, MONTHS_13 + HOUR, -3 * MONTHS_13):
            w.steps(step)
            for name in ("dead", "back", "forth"):
                assert w.state(d[name][0]) == "expired", (step, name)
                assert w.is_silent_to(d[name][1], witness), (step, name)
            assert w.state(d["late"][0]) == "pending" and w.state(fresh) == "open", step
        w.accepts(d["late"][1])
        w.passes(23 * HOUR)
        assert w.state(fresh) == "expired"
        w.ctl("audit", "verify")


def test_steps_across_a_boot_expire_nothing_and_revive_nothing():
    with World() as w:
        witness, _ = w.witness()
        dead = some(w, "dead")["dead"]
        w.passes(25 * HOUR)
        for n, step in enumerate((-HOUR, MONTHS_13, -10 * MONTHS_13)):
            name = "device%d" % n
            living = some(w, name)[name]
            w.reboots(step)
            assert w.state(living[0]) == "pending" and w.state(dead[0]) == "expired", step
            assert w.is_silent_to(dead[1], witness), step
            w.accepts(living[1])
            w.accepts(living[1])
        assert "warning" in w.log_text("enrolld")
        w.ctl("audit", "verify")


def test_a_plausible_time_off_counts():
    with World() as w:
        witness, _ = w.witness()
        short = w.json("bundle", "issue")["bundles"][0]
        long = w.json("bundle", "issue", "--lifetime", "7d")["bundles"][0]
        pending = some(w, "device")["device"]
        w.reboots(2 * DAY)
        assert (w.state(short), w.state(long), w.state(pending[0])) == ("expired", "open", "expired")
        assert w.is_silent_to(pending[1], witness)


def test_the_signed_prekey_rotates_and_old_bundles_still_work():
    with World() as w:
        first = w.json("status")["spk_id"]
        key = w.enrollee("device", "init").stdout.splitlines()[0]
        old = w.json("bundle", "issue", "--lifetime", "30d")["bundles"][0]
        w.passes(8 * DAY)
        new = w.json("bundle", "issue")["bundles"][0]
        assert w.json("status")["spk_id"] > first
        raw = [raw_of(b["text"]) for b in (old, new)]
        assert raw[0][1:5] != raw[1][1:5] and raw[0][45:77] != raw[1][45:77] and raw[0][13:45] == raw[1][13:45]
        w.passes(21 * DAY)
        w.ctl("enrollee", "announce", key, "--bundle", old["id"], "--lifetime", "2d")
        message = w.message_of("device", old["text"])
        w.passes(2 * DAY - HOUR)  # beyond the bundle's own end: the announcement counts now
        w.accepts(message)
        spks = w.books.all()["tables"]["signed_prekeys"]
        assert len(spks) >= 2
        w.passes(40 * DAY)
        w.json("bundle", "issue")
        w.reboots(HOUR)

        def old_private():
            return next(row[3] for row in w.books.all()["tables"]["signed_prekeys"] if row[0] == first)

        wait_until("the old private key to be destroyed", lambda: old_private() is None)


def test_what_is_taken_back_stays_taken():
    with World() as w:
        witness, _ = w.witness()
        d = some(w, "cancelled", "enrolled")
        ids = {e["name"]: e["id"] for e in w.json("enrollee", "list")["enrollees"]}
        w.refused(DATA, "bundle", "revoke", d["cancelled"][0]["id"], says=("not possible", "cancel the enrollee"))
        w.ctl("enrollee", "cancel", ids["cancelled"])
        assert w.is_silent_to(d["cancelled"][1], witness)
        w.refused(DATA, "enrollee", "cancel", ids["cancelled"], says=("not possible", "cancelled already"))
        w.accepts(d["enrolled"][1])
        w.refused(DATA, "enrollee", "cancel", ids["enrolled"], says=("not possible", "revoke"))
        w.refused(DATA, "bundle", "revoke", d["enrolled"][0]["id"], says=("not possible", "revoke the device"))
        device = next(e for e in w.json("enrollee", "list")["enrollees"] if e["name"] == "enrolled")["device_id"]
        w.ctl("enrollee", "revoke", device)
        assert w.is_silent_to(d["enrolled"][1], witness), "its answer is gone with its channel"
        w.refused(DATA, "enrollee", "revoke", device, says="not possible")
        w.reboots(60)
        assert w.is_silent_to(d["enrolled"][1], witness) and w.is_silent_to(d["cancelled"][1], witness)
        bundle = w.json("bundle", "issue")["bundles"][0]
        w.ctl("enrollee", "ping", device, check=False)
        w.ctl("bundle", "revoke", bundle["id"])
        w.refused(DATA, "bundle", "revoke", bundle["id"], says=("not possible", "revoked already"))


if __name__ == "__main__":
    harness.main(globals())
