"""A peer in Python. Answers each line of its input with one of its own:

pairs N     how many nanoseconds an acquire and release took, of so many
hold        when it had the lock
release     when it began to release it
wait        when it had the lock, which it then releases
"""

import sys
import time

import redis
import redis_lock

KINDS = {
    "redis-py": lambda client, name: client.lock(name, timeout=30),
    "python-redis-lock": lambda client, name: redis_lock.Lock(client, name, expire=30),
}


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def main(kind, url):
    client, held = redis.Redis.from_url(url), None

    def lock(name):
        return KINDS[kind](client, f"{kind}:{name}")

    for line in sys.stdin:
        match line.split():
            case ["pairs", count]:
                begun = time.perf_counter_ns()
                for _ in range(int(count)):
                    with lock("order:4711"):
                        pass
                answer = (time.perf_counter_ns() - begun) / int(count)
            case ["hold"]:
                held = lock("hand-over")
                held.acquire()
                answer = now()
            case ["release"]:
                answer = now()
                held.release()
            case ["wait"]:
                with lock("hand-over"):
                    answer = now()
        print(answer, flush=True)


main(*sys.argv[1:])
