"""Another member of the fleet: redis-py's Lock, and django-redis's cache.lock, at the orders of a test.

fleet.py PORT reads a line for each order, of fields separated by tabs, and answers each with a line:
- acquire NAME TIMEOUT WAIT: "had TOKEN" or "refused"; times in seconds, WAIT 0 is one attempt;
- django NAME TIMEOUT WAIT: the same by Django's cache;
- release, extend SECONDS, owned: what the last lock says, or the name of the exception;
- work NAME TIMES: holds it so often, and counts in `inside` who else is: how often it was not alone.
"""
import sys
import time

import redis

port = int(sys.argv[1])
client = redis.Redis(port=port)


def cache():
    from django.conf import settings

    if not settings.configured:
        backend = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": f"redis://127.0.0.1:{port}/0"}
        settings.configure(CACHES={"default": backend})
    from django.core.cache import cache

    return cache


def acquire(lock, wait):
    had = lock.acquire(blocking=wait > 0, blocking_timeout=wait or None)
    return f"had\t{lock.local.token.decode()}" if had else "refused"


def work(name, times):
    crowded = 0
    for _ in range(times):
        with client.lock(name, timeout=30, sleep=0.005):
            crowded += client.incr("inside") != 1
            time.sleep(0.001)
            client.decr("inside")
    return str(crowded)


lock = None
for line in sys.stdin:
    order, *fields = line.rstrip("\n").split("\t")
    try:
        match order:
            case "open":  # what every peer is told first: not for us
                continue
            case "acquire":
                lock = client.lock(fields[0], timeout=float(fields[1]), sleep=0.02)
                answer = acquire(lock, float(fields[2]))
            case "django":
                lock = cache().lock(fields[0], timeout=float(fields[1]), sleep=0.02)
                answer = acquire(lock, float(fields[2]))
            case "release":
                lock.release()
                answer = "released"
            case "extend":
                answer = str(lock.extend(float(fields[0])))
            case "owned":
                answer = str(lock.owned())
            case "work":
                answer = work(fields[0], int(fields[1]))
            case _:
                answer = f"not an order: {line!r}"
    except Exception as error:
        answer = type(error).__name__
    print(answer, flush=True)
