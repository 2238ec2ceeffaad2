"""Which questions a shop is asked, and the file of expected answers."""
import facts
from buckets import DAY, HOUR, Zone, rfc3339
from dice import Dice
from fold import fold
from reference import answer, metrics_of

# Longer ranges are cut: all buckets of a question without a breakdown are listed.
LONGEST = {'total': None, 'hour': 12 * DAY, 'day': 400 * DAY, 'week': 2000 * DAY, 'month': 9000 * DAY}
FINE = ['hour', 'day', 'week', 'month']
FILTERABLE = [*facts.HIT_DIMENSIONS, *facts.ACQUISITION, 'entry_page', 'exit_page', 'visitor_kind', 'first_visit']
ALWAYS_SET = [name for name in FILTERABLE if name not in ('search_term', 'outbound', 'file', 'scroll_depth')]


def questions(header, db):
    """All questions of a shop; which ones are asked by hour, filtered or in parts follows from its number."""
    dice, zone = Dice(f"questions/{header['shop']}"), Zone(header['time_zone'], header['week_start'])
    oldest, newest = db.execute('SELECT MIN(at), MAX(at) FROM ordered').fetchone()
    if oldest is None:
        return
    whole = zone.start('day', oldest), zone.next('day', zone.start('day', newest))

    def ask(by, granularity, span=whole, filters=(), zone=zone):
        begin, end = span
        if LONGEST[granularity] and end - begin > LONGEST[granularity]:
            begin = zone.start('day', max(begin, newest - LONGEST[granularity] // 2))
        if span == whole:
            begin, end = zone.widened(granularity, begin, end)
        metrics = metrics_of([*by, *('exit_page' for test in filters if test.startswith('exit_page'))])
        return {'metrics': metrics, 'by': list(by), 'granularity': granularity, 'from': begin, 'to': end,
                'time_zone': zone.name, 'week_start': zone.week_start, 'filter': ' and '.join(filters)}

    for granularity in ['total', *FINE]:
        yield ask([], granularity)
    reports = [report['by'] for report in header['rules']['reports']]
    for by in [[name] for name in [*FILTERABLE, 'goal', *facts.ITEM_DIMENSIONS]] + [['funnel', 'funnel_step']] + reports:
        yield ask(by, 'total')
        yield ask(by, dice.pick(FINE))
    for name in dice.some(FILTERABLE, 4):
        if test := filter_of(dice, db, name):
            yield ask([name] if dice.chance(60) else [], dice.pick(['total', 'day']), filters=[test])
    for report in reports:
        can_be_hidden = [name for name in report if name in FILTERABLE or name.startswith('param:')]
        shown = [name for name in report if name not in can_be_hidden or dice.chance(40)]
        tests = [filter_of(dice, db, name) for name in can_be_hidden if name not in shown or dice.chance(20)]
        if any(tests):
            yield ask(shown, dice.pick(['total', *FINE]), filters=[test for test in tests if test])
    yield from parts(dice, ask, oldest, newest, zone.week_start)


def parts(dice, ask, oldest, newest, week_start):
    """Ranges that cut through what happened, off the borders of buckets, and in other zones than the shop's."""
    middle = oldest + dice.below(newest - oldest + 1)
    yield ask([], 'total', (middle - middle % HOUR, newest + HOUR))
    yield ask(['page'], 'hour', (middle - 3 * HOUR, middle + dice.between(1, 3 * HOUR)))
    yield ask(['source'], 'total', (oldest, middle + 1))
    yield ask([], dice.pick(['day', 'week', 'month']), (middle, middle + dice.between(1, 2 * DAY)))
    other = Zone(dice.pick(['Asia/Kathmandu', 'America/St_Johns', 'Pacific/Chatham', 'UTC', 'Europe/Berlin']), week_start)
    yield ask([], 'day', (max(oldest, newest - 20 * DAY), newest + 1), zone=other)
    yield ask(['hit_name'], 'hour', (middle - 3 * HOUR, middle + DAY), zone=other)


def filter_of(dice, db, name):
    """A test of a dimension, with values that are there."""
    values = [value for value, in db.execute(f'SELECT DISTINCT "{name}" FROM fact WHERE "{name}" IS NOT NULL ORDER BY 1')]
    values = [value for value in values if ' and ' not in value and '|' not in value]
    if not values:
        return None
    operator = dice.pick(['=', '=', '^=', '~'] + (['!=', '!~', '!^='] if name in ALWAYS_SET else []))
    if operator.endswith(('^=', '~')):
        value = dice.pick(values)
        return f'{name}{operator}{value[:3] if operator.endswith("^=") else value[1:4] or value}'
    return f"{name}{operator}{'|'.join(dice.some(values, dice.between(1, 2)))}"


def shops(lines):
    """Groups the lines of a file: (first line of a shop, its batches)."""
    header, batches = None, []
    for line in lines:
        if 'batch' in line:
            batches.append(line)
            continue
        if header:
            yield header, batches
        header, batches = line, []
    if header:
        yield header, batches


def expected(header, batches):
    """The lines of expected answers of a shop, and its fates."""
    db, fates = fold(header, batches)
    yield {'shop': header['shop'], 'fates': fates}
    for question in questions(header, db):
        rows = answer(db, question)
        asked = question | {'from': rfc3339(question['from']), 'to': rfc3339(question['to'])}
        yield {'shop': header['shop'], 'question': asked, 'rows': rows}
