"""Runs the test_* functions of a module and closes with 'N passed, N failed'. No skips: what cannot run fails."""
import sys
import time
import traceback


def main(namespace):
    wanted = sys.argv[1:]
    passed = failed = 0
    for name, fn in list(namespace.items()):
        if not name.startswith("test_") or not callable(fn) or (wanted and name not in wanted):
            continue
        start = time.monotonic()
        try:
            fn()
            passed += 1
            verdict = "ok"
        except Exception:
            traceback.print_exc()
            failed += 1
            verdict = "FAILED"
        print("%s %s (%.1f s)" % (verdict, name, time.monotonic() - start), flush=True)
    print("%d passed, %d failed" % (passed, failed), flush=True)
    sys.exit(1 if failed or not passed else 0)
