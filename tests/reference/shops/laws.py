"""Laws that hold of every shop, whatever its numbers are."""
from buckets import DAY, MINUTE, Zone
from dice import Dice
from fold import fold
from generate import BY_RECEIPT, lines, shop
from plan import rearranged, wire
from questions import ALWAYS_SET, questions
from reference import COUNTS, ITEM_SUMS, OF_ITEMS, SESSIONS, SUMS, answer

ADDITIVE = [metric for metric in [*COUNTS, *SESSIONS, *SUMS, *ITEM_SUMS] if metric != 'visitors']


def check(seed, count):
    """Holds all laws against so many shops; how many laws there are."""
    assert list(lines(seed, min(count, 5))) == list(lines(seed, min(count, 5))), 'the same seed gives another file'
    for number in range(count):
        header, batches, kinds = shop(seed, number)
        db, fates = fold(header, wire(batches))
        ask = asker(header, db)
        for law in LAWS:
            try:
                law(header, db, fates, ask)
            except AssertionError as error:
                raise AssertionError(f'shop {number} of seed {seed}: {law.__name__}: {error}') from error
        if not kinds & BY_RECEIPT:
            order_of_receipt(header, db, fates, rearranged(batches, Dice(f'{seed}/{number}/rearranged')))
    return len(LAWS) + 2


def asker(header, db):
    """A function that asks about everything that happened: rows by their dimensions."""
    zone = Zone(header['time_zone'])
    begin, end = db.execute('SELECT MIN(at), MAX(at) + 1 FROM ordered').fetchone()

    def ask(metrics, by=(), granularity='total'):
        rows = answer(db, {'metrics': metrics, 'by': list(by), 'granularity': granularity, 'from': begin, 'to': end,
                           'time_zone': zone.name, 'week_start': header['week_start']}) if begin is not None else []
        return {(row['start'], *row['dimensions']): dict(zip(metrics, row['numbers'])) for row in rows}
    return ask


def total_of(rows, metric):
    """The sum of a metric over rows; of money by currency."""
    total = {}
    for row in rows.values():
        for currency, number in row[metric].items() if isinstance(row[metric], dict) else [('', row[metric])]:
            total[currency] = total.get(currency, 0) + number
    return {currency: number for currency, number in total.items() if number}


def breakdowns_sum_to_the_total(header, db, fates, ask):
    whole = ask(ADDITIVE)
    for name in ALWAYS_SET:
        metrics = list(SESSIONS) if name == 'exit_page' else ADDITIVE
        rows = ask(metrics, [name])
        for metric in metrics:
            assert total_of(rows, metric) == total_of(whole, metric), (name, metric)
    rows = ask(OF_ITEMS, ['item_id'])
    for metric in OF_ITEMS:
        assert total_of(rows, metric) == total_of(whole, metric), ('item_id', metric)
    assert total_of(ask(['conversions'], ['goal']), 'conversions') == total_of(whole, 'conversions')


def buckets_sum_to_the_total(header, db, fates, ask):
    whole = ask(ADDITIVE, ['hit_name'])
    for granularity in ('hour', 'day', 'week', 'month'):
        rows = ask(ADDITIVE, ['hit_name'], granularity)
        for metric in ADDITIVE:
            assert total_of(rows, metric) == total_of(whole, metric), (granularity, metric)


def visitors_are_no_sum(header, db, fates, ask):
    for coarse, fine in (('total', 'hour'), ('total', 'day')):
        whole = max((row['visitors'] for row in ask(['visitors'], ['page'], coarse).values()), default=0)
        parts = [row['visitors'] for row in ask(['visitors'], ['page'], fine).values()]
        assert max(parts, default=0) <= whole <= sum(parts), (coarse, fine)


def every_hit_has_one_fate(header, db, fates, ask):
    for books in fates:
        rest = books['counted'] + books['duplicate'] + sum(books['filtered'].values()) + books['dead_lettered']
        assert books['accepted'] == rest, books
    hits = sum(row['hits'] for row in ask(['hits']).values())
    assert sum(books['counted'] for books in fates) == hits


def sessions_are_cut_where_they_must(header, db, fates, ask):
    timeout = header['rules']['sessions']['timeout_minutes'] * MINUTE
    hits = db.execute('SELECT actor, session, at FROM ordered ORDER BY actor, at, session').fetchall()
    begun = {}
    for (actor, session, at), (next_actor, next_session, next_at) in zip(hits, hits[1:]):
        begun.setdefault(session, at)
        if actor == next_actor:
            must = next_at - at > timeout or next_at - begun[session] >= DAY
            assert must == (session != next_session), (actor, at, next_at)
        else:
            assert session != next_session, (actor, next_actor)


def every_actor_is_new_once(header, db, fates, ask):
    actors, = db.execute('SELECT COUNT(DISTINCT actor) FROM ordered').fetchone()
    rows = ask(['new_visitors', 'sessions'], ['visitor_kind'])
    assert sum(row['new_visitors'] for row in rows.values()) == actors
    assert all(row['new_visitors'] in ((0, row['sessions'])[key[1] == 'new'],) for key, row in rows.items())


def parts_are_no_more_than_wholes(header, db, fates, ask):
    metrics = ['entrances', 'exits', 'sessions', 'page_views', 'engaged_sessions', 'single_page_sessions', 'hits', 'visitors']
    for row in ask(metrics).values():
        assert row['entrances'] == row['exits'] <= min(row['sessions'], row['page_views'])
        assert max(row['engaged_sessions'], row['single_page_sessions']) <= row['sessions'] <= row['hits'] >= row['visitors']
    steps = {}
    for (_, funnel, step), row in ask(['sessions', 'visitors'], ['funnel', 'funnel_step']).items():
        steps.setdefault(funnel, []).append(row['sessions'])
        assert row['visitors'] <= row['sessions']
    assert all(taken == sorted(taken, reverse=True) for taken in steps.values()), steps


def purchases_count_or_are_duplicates(header, db, fates, ask):
    rows = ask(['hits', 'purchases', 'duplicate_purchases'], ['hit_name'])
    for (_, name), row in rows.items():
        assert row['purchases'] + row['duplicate_purchases'] == (row['hits'] if name == 'purchase' else 0)
    again, = db.execute('SELECT COUNT(trade) - COUNT(DISTINCT trade) FROM ordered').fetchone()
    assert sum(row['duplicate_purchases'] for row in rows.values()) == again


def order_of_receipt(header, db, fates, batches):
    """Another order of receipt within the allowed lateness changes nothing but which of two is the duplicate, and when."""
    other, other_fates = fold(header, wire(batches))
    for question in questions(header, db):
        assert answer(db, question) == answer(other, question), (header['shop'], question)
    assert sum(books['counted'] for books in fates) == sum(books['counted'] for books in other_fates)


LAWS = [breakdowns_sum_to_the_total, buckets_sum_to_the_total, visitors_are_no_sum, every_hit_has_one_fate,
        sessions_are_cut_where_they_must, every_actor_is_new_once, parts_are_no_more_than_wholes,
        purchases_count_or_are_duplicates]
