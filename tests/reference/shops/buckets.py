"""Buckets of time in a zone: docs/semantics.md, Time. All instants are milliseconds since 1970 UTC."""
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MILLISECOND = timedelta(milliseconds=1)
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
QUARTER = 15 * MINUTE
WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']


def instant(text):
    """`2026-03-02T10:00:00.5Z` in milliseconds."""
    return (datetime.fromisoformat(text.replace('Z', '+00:00')) - EPOCH) // MILLISECOND


def rfc3339(ms):
    at = EPOCH + timedelta(milliseconds=ms)
    return at.strftime('%Y-%m-%dT%H:%M:%S') + (f'.{at.microsecond // 1000:03}' if ms % 1000 else '') + 'Z'


class Zone:
    def __init__(self, name, week_start='monday'):
        self.name, self.zone = name, ZoneInfo(name)
        self.week_start, self.first_weekday = week_start, WEEKDAYS.index(week_start)

    def local(self, ms):
        return (EPOCH + timedelta(milliseconds=ms)).astimezone(self.zone)

    def offset(self, ms):
        return self.local(ms).utcoffset()

    def midnight(self, day):
        """The first instant of a day. Where clocks skip midnight, or the whole day, Python reckons by the offset before:
        that gives the instant at which they do."""
        at = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return (at.astimezone(timezone.utc) - EPOCH) // MILLISECOND

    def start(self, granularity, ms):
        """Where the bucket begins that an instant is in."""
        if granularity == 'quarter':
            return ms - ms % QUARTER
        local = self.local(ms)
        if granularity == 'hour':
            begin = ms - local.minute * MINUTE - local.second * SECOND - local.microsecond // 1000
            return begin if self.offset(begin) == local.utcoffset() else self.change(begin, ms)
        return self.midnight(first_day(granularity, local.date(), self.first_weekday))

    def next(self, granularity, start):
        """Where the bucket ends that begins here."""
        if granularity == 'quarter':
            return start + QUARTER
        local = self.local(start)
        if granularity == 'hour':
            end = start + HOUR - local.minute * MINUTE
            return end if self.offset(end - 1) == local.utcoffset() else self.change(start, end - 1)
        return self.midnight(day_after(granularity, first_day(granularity, local.date(), self.first_weekday)))

    def change(self, before, after):
        """The instant at which clocks change between two instants."""
        old = self.offset(before)
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if self.offset(middle) == old else (before, middle)
        return after

    def widened(self, granularity, begin, end):
        """The smallest range of whole buckets around a range; those of a total are quarters of an hour."""
        unit = 'quarter' if granularity == 'total' else granularity
        return self.start(unit, begin), self.next(unit, self.start(unit, end - 1))

    def buckets(self, granularity, begin, end):
        """The beginnings of all buckets in a range that is widened already."""
        starts = [begin]
        while granularity != 'total' and (following := self.next(granularity, starts[-1])) < end:
            starts.append(following)
        return starts


def first_day(granularity, day, first_weekday):
    if granularity == 'week':
        return day - timedelta(days=(day.weekday() - first_weekday) % 7)
    return {'day': day, 'month': day.replace(day=1), 'year': day.replace(month=1, day=1)}[granularity]


def day_after(granularity, first):
    """The first day of the next bucket."""
    if granularity in ('day', 'week'):
        return first + timedelta(days=7 if granularity == 'week' else 1)
    if granularity == 'year':
        return first.replace(year=first.year + 1)
    return (first + timedelta(days=31)).replace(day=1)
