#!/usr/bin/python3
"""What an operator asks of an attached mesh: proposals, nodes, set-enrolled-nodes; through org.bluez on a private bus,
enrolld and enrollctl, with simulated nodes that run the firmware's own core."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from lab import LabError, wait_until  # noqa: E402
from meshlab import FAR, NEAR, Building, expect, main, member, node  # noqa: E402

NETWORK = 480
QUESTION = "question network=%d" % NETWORK


class World(Building):
    """A gateway node in range, members and strangers that only they hear."""

    def __init__(self, members=3, strangers=(), attach=True):
        super().__init__([member("FMBB" + "BCDFGHJ"[i], NETWORK, i + 1, FAR if i else NEAR, pos=(i + 1, 2))
                          for i in range(members)] + [node(s, pos=(3 + i % 3, 2)) for i, s in enumerate(strangers)])
        self.size, self.attach = members, attach
        self.conf["log"] = {"level": "debug"}

    def begin(self):
        super().begin()
        if self.attach:
            wait_until("the gateway node", lambda: self.json("status")["mesh"]["link_state"] == "connected")
            wait_until("the whole mesh", self.is_whole, 60)

    def is_whole(self):
        r = self.ctl("mesh", "nodes", "--timeout", "3s", check=False, json_output=True)
        last = json.loads(r.stdout.splitlines()[-1]) if r.stdout else {}
        return last.get("expected") == self.size and last.get("answered") == self.size

    def lines_of(self, *args, **kw):
        """All objects that a command prints, one a line."""
        r = self.ctl(*args, json_output=True, **kw)
        return [json.loads(line) for line in r.stdout.splitlines()]


def add(lab, serial, *options):
    return lab.add(serial, options=("--wait", "--timeout", "100s", *options))


def test_nodes_lists_the_members_with_their_state():
    with World(4) as lab:
        got = lab.lines_of("mesh", "nodes")
        nodes = {n["node"]["node_id"]: n["node"] for n in got if n["event"] == "node"}
        expect(set(nodes) == {1, 2, 3, 4}, nodes)
        for node_id, n in nodes.items():
            expect(n["serial"] == "FMBB" + "BCDF"[node_id - 1], n)
            expect(n["answer"] == "full" and n["cluster_size"] == 4 and n["device_type"] == "static", n)
            expect(isinstance(n["battery_dv"], int) and isinstance(n["free_in"], int), n)
            expect(isinstance(n["free_out"], int) and isinstance(n["losses"], int), n)
            expect(len(n["address"]) == 17 and n["version"].count(".") == 2, n)
            expect(n["name"] is None and n["state"] is None, "the service has not enrolled it")
        expect(got[-1]["event"] == "end" and got[-1]["answered"] == got[-1]["expected"] == 4, got[-1])
        table = lab.ctl("mesh", "nodes", "--network", NETWORK).stdout
        expect(table.splitlines()[0].startswith("NODE ID") and "FMBBC" in table, table)


def test_nodes_tells_who_is_silent():
    with World(2, ["FMCCC"]) as lab:
        add(lab, "FMCCC", "--name", "attic")
        got = lab.lines_of("mesh", "nodes", "--timeout", "10s")
        mine = [n["node"] for n in got if n["event"] == "node" and n["node"]["serial"] == "FMCCC"]
        expect(len(mine) == 1 and mine[0]["state"] == "joined" and mine[0]["name"] == "attic", got)
        lab.order("node", "FMCCC", "off")
        begun = time.monotonic()
        r = lab.ctl("mesh", "nodes", "--timeout", "4s", check=False)
        expect(r.returncode == 1 and "did not answer" in r.stderr, (r.stdout, r.stderr))
        expect(time.monotonic() - begun < 15, "its time is bounded")
        row = [line for line in r.stdout.splitlines() if "FMCCC" in line]
        expect(len(row) == 1 and "none" in row[0], r.stdout)
        r = lab.ctl("mesh", "nodes", "--timeout", "4s", check=False, json_output=True)
        expect(r.returncode == 1 and json.loads(r.stdout.splitlines()[-1])["event"] == "end", (r.stdout, r.stderr))


def test_proposals_tells_who_hears_a_node():
    with World(3, ["FMCCC", "FMCCD"]) as lab:
        got = lab.lines_of("mesh", "proposals", "FMCCC", "FMCCD")
        heard = [p for p in got if p["event"] == "proposal"]
        expect({p["serial"] for p in heard} == {"FMCCC", "FMCCD"}, got)
        expect(all(p["node_id"] in (1, 2, 3) and p["unsolicited"] is False for p in heard), heard)
        expect(got[0] == {**got[0], "event": "round", "round": 1, "rounds": 1, "asked": 2}, got[0])
        expect(got[-1]["event"] == "end" and got[-1]["heard"] == 2, got[-1])
        r = lab.ctl("mesh", "proposals", "FMCCC", "FM999", "--timeout", "8s", check=False)
        expect(r.returncode == 1 and "FMCCC is heard by node" in r.stdout, r.stdout)
        expect("1 of 2 are not heard by any member" in r.stderr, r.stderr)
        r = lab.ctl("mesh", "proposals", "FMCCC", "FM999", "--timeout", "8s", check=False, json_output=True)
        expect(r.returncode == 1 and json.loads(r.stdout.splitlines()[-1])["heard"] == 1, (r.stdout, r.stderr))


def test_proposals_of_known_nodes_have_their_names():
    with World(2, ["FMCCC"]) as lab:
        lab.add("FMCCC", options=("--name", "attic"), key="77" * 16)
        got = lab.lines_of("mesh", "proposals", "FMCCC")
        heard = [p for p in got if p["event"] == "proposal"]
        expect(heard and heard[0]["name"] == "attic" and heard[0]["state"], got)


def test_proposals_asks_in_rounds():
    serials = ["FMCC" + c for c in "BCDFGHJKLMNPQRST"]
    with World(2, serials) as lab:
        got = lab.lines_of("mesh", "proposals", *serials)
        expect([p["round"] for p in got if p["event"] == "round"] == [1, 2], got)
        expect({p["serial"] for p in got if p["event"] == "proposal"} == set(serials), got)
        expect(got[-1]["heard"] == got[-1]["asked"] == len(serials), got[-1])


def test_proposals_without_serials_listens():
    """Members propose by the toss of a coin when they are asked to enroll who is not there: it ends at the first one."""
    with World(7, ["FMCCC"]) as lab:
        p = lab.spawn("listen", [lab.program("enrollctl"), "--socket", lab.path("control.sock"), "--json", "mesh",
                                 "proposals", "--timeout", "150s"], stdout=subprocess.PIPE)
        for serial in ("FMDD" + c for c in "BCDFGHJKLMNP"):  # short attempts: many requests
            lab.add(serial, options=("--attempt", "3s"), key="66" * 16)
        heard = []
        for line in p.stdout:
            heard.append(json.loads(line))
            if heard[-1]["unsolicited"] and heard[-1]["serial"] == "FMCCC":
                break
        else:
            raise LabError("nobody proposed FMCCC: %r\n%s" % (heard, lab.json("node", "list")))
        expect(heard[-1]["event"] == "proposal" and 1 <= heard[-1]["node_id"] <= 7, heard[-1])


def test_listening_ends_by_itself():
    with World(1) as lab:
        got = lab.lines_of("mesh", "proposals", "--timeout", "1s")
        expect([(e["event"], e["heard"], e["asked"]) for e in got] == [("end", 0, 0)], got)


def test_set_enrolled_nodes_is_confirmed_and_audited():
    with World(3) as lab:
        everybody = {"network_id": NETWORK, "count": 9, "confirmed": 3, "expected": 3}
        wait_until("all to confirm in time", lambda: lab.json(
            "mesh", "set-enrolled-nodes", 9, check=False) == everybody)
        rows = [json.loads(r["json"]) for r in lab.json("audit", "list", "--from", 1)["rows"]]
        rows = [r for r in rows if r["event"] == "enrolled_nodes_set"]
        expect(rows and all(r["count"] == 9 and r["network"] == NETWORK for r in rows), rows)
        wait_until("all to confirm it in words", lambda: "3 members know that they are 0" in lab.ctl(
            "mesh", "set-enrolled-nodes", 0, "--network", NETWORK).stdout)


def test_without_a_gateway_node_it_says_what_to_do():
    with World(0, attach=False) as lab:
        for verb in (["nodes"], ["proposals", "FMCCC"], ["set-enrolled-nodes", 4]):
            r = lab.ctl("mesh", *verb, check=False)
            expect(r.returncode == 75 and "no gateway node of network 480" in r.stderr and "radio range" in r.stderr,
                   (verb, r.returncode, r.stderr))
        expect("enrolled_nodes_set" not in lab.ctl("audit", "list", "--from", 1).stdout, "nothing was done")
        r = lab.ctl("mesh", "nodes", "--network", 481, check=False)
        expect(r.returncode == 66, "no such network")
        lab.ctl("network", "add", 481)
        r = lab.ctl("mesh", "nodes", check=False)
        expect(r.returncode == 65 and "say which" in r.stderr, r.stderr)
        expect(lab.ctl("mesh", "proposals", "nonsense", check=False).returncode == 65, "not a serial number")
        expect(lab.ctl("mesh", "proposals", "77" * 16, check=False).returncode == 64, "a key is no serial number")


def ask(lab):
    """An enrollctl whose question the daemon has taken."""
    before = lab.log_text("enrolld").count(QUESTION)
    p = lab.spawn("listen", [lab.program("enrollctl"), "--socket", lab.path("control.sock"), "mesh", "proposals", "FM999"],
                  stdout=subprocess.PIPE)
    wait_until("the question", lambda: lab.log_text("enrolld").count(QUESTION) > before)
    return p


def test_hanging_up_ends_the_question():
    with World(1) as lab:
        for _ in range(20):  # more than there may be at once
            p = ask(lab)
            p.kill()
            p.wait()

        def free():
            r = lab.ctl("mesh", "proposals", "FM999", "--timeout", "1s", check=False)
            return "somebody else" not in r.stderr and "too many" not in r.stderr
        wait_until("the questions to have ended", free, 10)


def test_the_daemon_stops_in_the_middle_of_a_question():
    with World(2) as lab:
        p = ask(lab)
        expect(lab.stop("enrolld") == 0, "it ends well")
        expect(p.wait(20) == 69, "enrollctl says that it is gone")


main(globals())
