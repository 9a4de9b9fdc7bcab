"""What enrolld tells at two times, compared."""
ENDS = ("expires_at", "next_try_at")


def alike(a, b):
    """The same JSON. Only when something ends may be told a second off: that is service time told on the wall clock
    (src/base/svctime.c), and the milliseconds of the two clocks are not read at one moment."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(
            abs(a[k] - b[k]) <= 1 if k in ENDS and a[k] and b[k] else alike(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(alike, a, b))
    return a == b
