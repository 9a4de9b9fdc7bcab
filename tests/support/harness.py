"""Runs the test_* functions of a module and closes with 'N passed, N failed'.

What cannot run fails, but for the reasons that tests/allowed-skips names; in CI those fail, too.
"""
import os
import random
import sys
import time
import traceback


ALLOWED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "allowed-skips")


class Skip(Exception):
    pass


def need_root():
    if os.geteuid() != 0:
        raise Skip("not-root")


def seeded():
    """Random numbers by a seed that is printed; SEED=n has them again."""
    seed = int(os.environ.get("SEED") or int.from_bytes(os.urandom(4), "little"))
    print("seed %d" % seed, flush=True)
    return random.Random(seed)


def skip_is_allowed(reason):
    with open(ALLOWED) as f:
        names = [line.split()[0] for line in f if line.strip() and not line.startswith("#")]
    return reason in names and not os.environ.get("CI")


def main(namespace):
    wanted = sys.argv[1:]
    passed = failed = skipped = 0
    for name, fn in list(namespace.items()):
        if not name.startswith("test_") or not callable(fn) or (wanted and name not in wanted):
            continue
        start = time.monotonic()
        try:
            fn()
            passed += 1
            verdict = "ok"
        except Skip as skip:
            if skip_is_allowed(str(skip)):
                skipped += 1
                verdict = "skipped (%s)" % skip
            else:
                failed += 1
                verdict = "FAILED (skipped: %s)" % skip
        except Exception:
            traceback.print_exc()
            failed += 1
            verdict = "FAILED"
        print("%s %s (%.1f s)" % (verdict, name, time.monotonic() - start), flush=True)
    close(passed, failed, skipped)


def close(passed, failed, skipped):
    more = ", %d skipped" % skipped if skipped else ""
    print("%d passed, %d failed%s" % (passed, failed, more), flush=True)
    sys.exit(1 if failed or not passed + skipped else 0)
