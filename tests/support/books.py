"""The database of enrolld as it is at this moment, every row of it."""
import json
import sqlite3

MOVING = ("service_time", "sqlite_sequence", "audit")


class Books:
    def __init__(self, path):
        self.path = path

    def all(self):
        """{"tables": {name: rows}, "audit": rows}"""
        db = sqlite3.connect("file:%s?mode=ro" % self.path, uri=True)
        db.text_factory = bytes
        try:
            names = [n.decode() for n, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            tables = {n: db.execute('SELECT * FROM "%s"' % n).fetchall() for n in names if n not in MOVING}
            return {"tables": tables, "audit": db.execute("SELECT * FROM audit ORDER BY seq").fetchall()}
        finally:
            db.close()

    def same(self, before, what="", audit_rows=0):
        """Nothing has changed since before but for so many new audit rows, which are returned."""
        now = self.all()
        for name, rows in before["tables"].items():
            assert now["tables"][name] == rows, (what, name, len(rows), len(now["tables"][name]))
        n = len(before["audit"])
        assert now["audit"][:n] == before["audit"], (what, "the audit log's past")
        new = [json.loads(row[2]) for row in now["audit"][n:]]
        assert len(new) == audit_rows, (what, new)
        return new
