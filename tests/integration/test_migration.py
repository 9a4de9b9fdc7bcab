#!/usr/bin/python3
"""A database of an older enrolld, with rows in every table, is opened by today's: all is there, and what is new has its
value for an old row. One of a newer enrolld is refused in words."""
import glob
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402
from lab import ROOT, Lab, LabError  # noqa: E402
from told import alike  # noqa: E402

OLD = 2  # migrations that the older one knew
NETWORK, SERIAL = 480, "FMBBF"
MET = 77  # the id of a node that was met, and has no job


def expect(condition, what):
    if not condition:
        raise LabError(what)


def fill(lab):
    """Rows in every table, made by the daemon itself: sealed columns are as they would be."""
    lab.enrollee("dev", "init")
    bundle = lab.json("bundle", "issue")["bundles"][0]
    lab.ctl("bundle", "issue")
    lab.ctl("enrollee", "announce", lab.enrollee("dev", "id").stdout.split()[0], "--bundle", bundle["id"])
    lab.enrollee("dev", "enroll", "--bundle", "-", input=bundle["text"] + "\n")
    lab.ctl("network", "add", NETWORK)
    lab.ctl("node", "add", SERIAL, "--network", NETWORK, "--key-file", "-", input="42" * 16 + "\n")


def everything(lab):
    """What a person can see of it, secrets too."""
    return {"bundles": lab.json("bundle", "list")["bundles"], "enrollees": lab.json("enrollee", "list")["enrollees"],
            "network": lab.json("network", "show", NETWORK, "--reveal-keys")["network"],
            "node": lab.json("node", "show", SERIAL)["node"], "label": lab.json("node", "label", SERIAL),
            "identity": lab.json("status")["identity_key"]}


def tables(db):
    return [r[0] for r in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]


def make_old(path):
    """The rows of the new database, in the schema of the old one; returns its tables."""
    new = sqlite3.connect(path)
    old = sqlite3.connect(path + ".old", isolation_level=None)
    for script in sorted(glob.glob(os.path.join(ROOT, "sql", "*.sql")))[:OLD]:
        with open(script) as f:
            old.executescript(f.read())
    for table in tables(old):
        columns = ", ".join(r[1] for r in old.execute("PRAGMA table_info(%s)" % table))
        rows = new.execute("SELECT %s FROM %s" % (columns, table)).fetchall()
        expect(rows, "no row in %s" % table)
        if table == "tallies":  # the triggers of the others have filled it
            continue
        old.executemany("INSERT INTO %s (%s) VALUES (%s)" % (table, columns, ", ".join("?" * len(rows[0]))), rows)
    old.execute("INSERT INTO node_ids VALUES (?, ?, ?, 0)", (NETWORK, MET, 12345))
    for pragma in ("application_id = %d" % new.execute("PRAGMA application_id").fetchone()[0], "user_version = %d" % OLD):
        old.execute("PRAGMA " + pragma)
    counts = {t: old.execute("SELECT count(*) FROM " + t).fetchone()[0] for t in tables(old)}
    for db in (new, old):
        db.close()
    for rest in ("-wal", "-shm"):
        if os.path.exists(path + rest):
            os.unlink(path + rest)
    os.chmod(path + ".old", 0o600)
    os.replace(path + ".old", path)
    return counts


def test_an_older_database_is_brought_up():
    with Lab() as lab:
        lab.init()
        lab.start()
        fill(lab)
        before = everything(lab)
        lab.stop("enrolld")
        counts = make_old(lab.path("enrolld.db"))
        lab.start()
        expect("migrated from=%d" % OLD in lab.log_text("enrolld"), "it has migrated")
        after = everything(lab)
        for what in before:
            expect(alike(after[what], before[what]), "%s: %r is not %r" % (what, after[what], before[what]))
        n = after["node"]
        expect((n["nearby"], n["from_network"], n["task"], n["preferred_network"]) == (False, None, "enroll", None), n)
        lab.ctl("audit", "verify")
        lab.enrollee("dev", "ping")  # its channel is as it was
        lab.ctl("node", "cancel", SERIAL)
        lab.ctl("node", "add", SERIAL, "--network", NETWORK, "--nearby")
        expect(lab.json("node", "show", SERIAL)["node"]["nearby"], "and can be used")
        lab.stop("enrolld")
        with sqlite3.connect(lab.path("enrolld.db")) as db:
            met = {r[0] for r in db.execute("SELECT node_id FROM node_ids WHERE met = 1")}
            expect(met == {MET}, "who was met: %r" % met)
            for table, count in counts.items():
                expect(db.execute("SELECT count(*) FROM " + table).fetchone()[0] >= count, "rows of %s" % table)
            expect(db.execute("PRAGMA integrity_check").fetchone()[0] == "ok", "whole")
            expect(not db.execute("PRAGMA foreign_key_check").fetchall(), "no row refers to nothing")


def test_a_newer_database_is_refused_in_words():
    with Lab() as lab:
        lab.init()
        with sqlite3.connect(lab.path("enrolld.db")) as db:
            db.execute("PRAGMA user_version = 99")
        try:
            lab.start()
        except LabError:
            pass
        else:
            raise LabError("it has started")
        log = lab.log_text("enrolld")
        expect("schema version 99, made by a newer enrolld" in log, log)
        with sqlite3.connect(lab.path("enrolld.db")) as db:
            expect(db.execute("PRAGMA user_version").fetchone()[0] == 99, "left alone")


harness.main(globals())
