"""A year of schedules, worked out apart from squall: cron by croniter on wall clocks without a zone, zones by zoneinfo, and
the rules of docs/schedules.md for clock changes, hours and blackouts in a few lines here.

    plan.py    prints tests/planner/2025.json

Each schedule has its number of occurrences, how many of them are kept, the SHA-256 of all lines, and the lines of the two days
around each clock change.
"""

import hashlib
import json
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter

YEAR = (datetime(2025, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 1, tzinfo=timezone.utc))
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # by half an hour
    "America/Havana",  # at midnight
    "Africa/Cairo",  # at midnight
    "America/Santiago",  # at midnight, in the south
    "Pacific/Chatham",  # at 02:45
    "Antarctica/Troll",  # by two hours
]
CRONS = [
    "30 2 * * *",
    "15 0 * * *",
    "0,30 0-3 * * *",
    "*/15 * * * *",
    "45 1 * * sun",
    "30 16 * * mon-fri",
    "0 3 31 * *",
    "0 12 1-7 4,10 *",
    "20 4 13 * fri",
    "5 */6 * * *",
]
# Seconds from midnight for each weekday, in which runs of 45 minutes must fit: Friday goes over midnight, Saturday and Sunday touch.
HOURS = {0: (32400, 61200), 1: (32400, 61200), 2: (32400, 61200), 3: (32400, 61200), 4: (79200, 104400), 5: (72000, 86400), 6: (0, 9000)}
LENGTH = timedelta(minutes=45)
BLACKOUTS = [(date(2025, 6, 9), date(2025, 6, 11)), (date(2025, 10, 26), date(2025, 10, 26))]


def instants(wall, zone):
    """When a wall clock shows a time: none, one or two instants."""
    found = []
    for fold in (0, 1):
        at = wall.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc)
        if at.astimezone(zone).replace(tzinfo=None) == wall and at not in found:
            found.append(at)
    return sorted(found)


def jump(wall, zone):
    """The clock change that leaves a time out, to the minute."""
    low = wall.replace(tzinfo=zone, fold=1).astimezone(timezone.utc) - timedelta(hours=3)
    before = low.astimezone(zone).utcoffset()
    while low.astimezone(zone).utcoffset() == before:
        low += timedelta(minutes=1)
    return low


def once_each(cron, zone):
    """Each time of the wall clock comes once: the first time, or at the change that leaves it out."""
    found = set()
    times = croniter(cron, datetime(2024, 12, 30))
    while True:
        wall = times.get_next(datetime)
        if wall > datetime(2026, 1, 2):
            return sorted(found)
        at = instants(wall, zone)
        found.add(at[0] if at else jump(wall, zone))


def as_time_passes(cron, zone):
    """Every instant at which the wall clock fits."""
    minutes, hours, days, months, weekdays = croniter.expand(cron)[0]
    assert (hours, days, months, weekdays) == (["*"], ["*"], ["*"], ["*"])
    found, at = [], YEAR[0]
    while at < YEAR[1]:
        if at.astimezone(zone).minute in minutes:
            found.append(at)
        at += timedelta(minutes=15)
    return found


def midnight(day, zone):
    wall = datetime(day.year, day.month, day.day)
    at = instants(wall, zone)
    return at[0] if at else jump(wall, zone)


def fate(at, zone, closed):
    """`kept`, `out` of hours, `end` before the run does, `closed`, or `soon` closed."""
    for begins, ends in closed:
        if begins <= at < ends:
            return "closed"
        if at < begins < at + LENGTH:
            return "soon"
    wall = at.astimezone(zone).replace(tzinfo=None)
    for back in (0, 1):
        day = (wall - timedelta(days=back)).date()
        begins, ends = HOURS[day.weekday()]
        start = datetime(day.year, day.month, day.day)
        if start + timedelta(seconds=begins) <= wall < start + timedelta(seconds=ends):
            end = start + timedelta(seconds=ends)
            # Hours that touch are one.
            follows = HOURS[(day.weekday() + 1) % 7]
            if ends >= 86400 and follows[0] <= ends - 86400:
                end = max(end, start + timedelta(seconds=86400 + follows[1]))
            ending = [moment for moment in instants(end, zone) if moment > at] or [jump(end, zone)]
            return "kept" if at + LENGTH <= ending[0] else "end"
    return "out"


def schedule(zone_name, cron):
    zone = ZoneInfo(zone_name)
    all_hours = cron.split()[1] == "*"
    times = as_time_passes(cron, zone) if all_hours else once_each(cron, zone)
    times = [at for at in times if YEAR[0] < at < YEAR[1]]
    closed = [(midnight(first, zone), midnight(last + timedelta(days=1), zone)) for first, last in BLACKOUTS]
    changes, at = [], YEAR[0]
    while at < YEAR[1]:
        if at.astimezone(zone).utcoffset() != (at + timedelta(days=1)).astimezone(zone).utcoffset():
            changes.append(at)
        at += timedelta(days=1)
    fates = [fate(at, zone, closed) for at in times]
    lines = [f"{at:%Y-%m-%dT%H:%MZ} {fate}" for at, fate in zip(times, fates)]
    near = [
        line
        for at, line in zip(times, lines)
        if any(change - timedelta(hours=12) <= at < change + timedelta(hours=36) for change in changes)
    ]
    return {
        "zone": zone_name,
        "cron": cron,
        "count": len(lines),
        "kept": fates.count("kept"),
        "sha256": hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest(),
        "around": near if len(near) <= 60 else near[:30] + near[-30:],
    }


def main():
    schedules = [schedule(zone, cron) for zone in ZONES for cron in CRONS]
    print("[\n" + ",\n".join(json.dumps(one) for one in schedules) + "\n]")


main()
