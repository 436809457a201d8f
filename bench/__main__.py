"""python -m bench [NAME…] [--json]: measure, compare with the bars, exit 1 when one does not hold."""

import asyncio
import importlib
import sys

# A figure's name, and the module that measures it; one module may give several figures.
NAMES = {
    "boot": "boot",
    "intake": "intake",
    "answers": "answers",
    "latency": "latency",
    "fanout": "fanout",
    "fanout_wecom": "fanout_wecom",
    "answers_wecom": "fanout_wecom",
    "latency_wecom": "fanout_wecom",
    "memory": "intake",
    "growth": "growth",
    "status": "status",
    "onduty": "status",
    "simulate": "simulate",
    "restore": "restore",
    "restore_postgres": "restore",
    "intake_postgres": "intake_postgres",
    "replicas": "replicas",
    "lateness": "lateness",
}


def main(words: list[str]) -> int:
    """0 when every bar holds, 1 when one does not, 2 for a name nobody measures."""
    as_json = "--json" in words
    asked = [word for word in words if not word.startswith("-")] or list(NAMES)
    unknown = [name for name in asked if name not in NAMES]
    if unknown:
        print(f"Unknown: {', '.join(unknown)}. There are: {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    all_hold = True
    for module in dict.fromkeys(NAMES[name] for name in asked):
        for result in asyncio.run(importlib.import_module(f"bench.{module}").measure()):
            print(result.as_json() if as_json else result.as_text(), flush=True)
            all_hold = all_hold and result.holds
    return 0 if all_hold else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
