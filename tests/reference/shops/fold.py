"""From batches as they were received to tables of hits, visits, items, goals and steps: docs/semantics.md, Whose hits,
Sessions, Duplicates. Everything is computed at once from all hits of a shop; nothing is folded hit by hit but what
depends on the order of receipt by definition: duplicates."""
import sqlite3

import facts
from buckets import DAY, HOUR, MINUTE, SECOND, Zone, rfc3339

REMEMBERED_EPOCHS, OPEN_HOLES, REMEMBERED_SESSIONS, SESSION_HITS = 8, 64, 64, 500


def fold(header, batches):
    """The database of a shop, and the fates of its hits by hour of receipt."""
    rules, accepted = header['rules'], list(received(batches))
    decide_fates(accepted, rules)
    db = sqlite3.connect(':memory:', isolation_level=None)
    counted = [hit for hit in accepted if hit['fate'] == 'counted']
    params = sorted({name for report in rules.get('reports', []) for name in report['by'] if name.startswith('param:')})
    insert(db, 'counted', [own_facts(hit, params) for hit in counted])
    zone = Zone(header['time_zone'])
    db.create_function('day_of', 1, lambda at: zone.local(at).date().isoformat(), deterministic=True)
    order_hits(db)
    cut_sessions(db, rules.get('sessions', {}).get('timeout_minutes', 30) * MINUTE)
    reach_goals(db, counted, rules.get('goals', []))
    summarise(db, rules.get('sessions', {}).get('engaged_seconds', 10) * SECOND, params)
    take_steps(db, counted, rules.get('funnels', []))
    insert_money(db, counted)
    return db, fates(accepted)


def received(batches):
    """All hits in order of receipt, with their seqs, their event times and their contexts."""
    for line in batches:
        batch, at = line['batch'], line['received_ms']
        sent, seq = batch.get('sent_at_ms', 0), batch['first_seq']
        off = at - sent if line['lane'] == 'live' and sent else 0
        correction = off if abs(off) >= MINUTE else 0
        for hit in batch['hits']:
            seq += hit.get('skipped', 0)
            yield {
                'client': batch['client_id'], 'epoch': batch['epoch'], 'seq': seq, 'received': at, 'hit': hit,
                'at': hit['time_ms'] + correction if hit.get('time_ms') else at,
                'context': batch.get('context', {}) | hit.get('context', {}),
            }
            seq += 1


def decide_fates(accepted, rules):
    clients = {}
    for hit in accepted:
        epochs, epoch = clients.setdefault(hit['client'], {}), hit['epoch']
        if epoch not in epochs and len(epochs) == REMEMBERED_EPOCHS and epoch < min(epochs):
            hit['fate'] = 'dead_lettered'
            continue
        if epoch not in epochs and len(epochs) == REMEMBERED_EPOCHS:
            del epochs[min(epochs)]
        seen = epochs.setdefault(epoch, {'highest': 0, 'holes': []})
        reason = facts.filtered(hit['hit'], hit['context'], rules.get('filters', {}))
        hit['fate'] = ('filtered ' + reason if reason else 'counted') if is_new(seen, hit['seq'], hit['hit'].get('skipped', 0)) else 'duplicate'


def is_new(seen, seq, skipped):
    """Whether this seq of an epoch comes for the first time, as far as the open holes tell: runs of seqs that have not come, without
    those that the client says it never sends."""
    if seq > seen['highest']:
        if seen['highest'] + 1 < seq - skipped:
            seen['holes'] = (seen['holes'] + [(seen['highest'] + 1, seq - skipped - 1)])[-OPEN_HOLES:]
        seen['highest'] = seq
        return True
    for first, last in seen['holes']:
        if first <= seq <= last:
            rest = [run for run in ((first, seq - 1), (seq + 1, last)) if run[0] <= run[1]]
            at = seen['holes'].index((first, last))
            seen['holes'][at:at + 1] = rest
            return True
    return False


def own_facts(hit, params):
    """The row of a hit, as far as it is known from the hit alone."""
    said, context = hit['hit'], hit['context']
    item_count = sum(map(facts.quantity_of, said.get('items', [])))
    items = {metric: item_count if said['name'] == name else 0 for name, metric in facts.ITEMS_OF.items()}
    engagement = facts.params_of(said).get('engagement_time_msec', {}).get('integer', 0)
    own = {f'own_{name}': value for name, value in facts.acquisition(said).items()}
    hit['key'] = (hit['client'], hit['epoch'], hit['seq'])
    return facts.dimensions(said, context, params) | own | items | {
        'client': hit['client'], 'epoch': hit['epoch'], 'seq': hit['seq'], 'at': hit['at'],
        'actor': context.get('visitor_id') or hit['client'], 'user': context.get('user_id') or None,
        'trade': said.get('transaction_id') or None if said['name'] == 'purchase' else None,
        'is_addressed': bool(said.get('url') or said.get('referrer')), 'is_page_view': said['name'] in facts.PAGE_VIEWS,
        'is_interaction': facts.is_interaction(said), 'engagement': engagement,
    }


def order_hits(db):
    """The table `ordered`: hits with their places (in the order of actors, then of time), visitors and pauses, and which
    purchases are duplicates."""
    db.execute('''
        CREATE TABLE ordered AS WITH placed AS (
            SELECT *, ROW_NUMBER() OVER (ORDER BY actor, at, client, epoch, seq) AS place,
                trade IS NOT NULL
                    AND ROW_NUMBER() OVER (PARTITION BY trade ORDER BY at, client, epoch, seq) > 1 AS is_duplicate
            FROM counted
        ), named AS (SELECT *, COUNT(user) OVER (PARTITION BY actor ORDER BY place) AS names FROM placed)
        SELECT *, at - LAG(at) OVER (PARTITION BY actor ORDER BY place) AS pause, CAST(0 AS INTEGER) AS session,
            COALESCE('user ' || MAX(user) OVER (PARTITION BY actor, names), 'actor ' || actor) AS visitor
        FROM named ORDER BY place''')
    # What does not count as a purchase is a hit, and a duplicate purchase, and nothing more.
    db.execute('UPDATE ordered SET is_interaction = 0, items_purchased = 0, engagement = 0 WHERE is_duplicate')


def cut_sessions(db, timeout):
    session, begun, rows = 0, 0, []
    for place, at, pause in db.execute('SELECT place, at, pause FROM ordered ORDER BY place').fetchall():
        if pause is None or pause > timeout or at - begun >= DAY:
            session, begun = session + 1, at
        rows.append((session, place))
    db.executemany('UPDATE ordered SET session = ? WHERE rowid = ?', rows)
    refuse_beyond_limits(db)


def refuse_beyond_limits(db):
    """Beyond these the order of receipt matters, in ways that this program does not model."""
    most, = db.execute('SELECT MAX(n) FROM (SELECT COUNT(DISTINCT session) AS n FROM ordered GROUP BY actor)').fetchone()
    longest, = db.execute('SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM ordered GROUP BY session)').fetchone()
    if (most or 0) > REMEMBERED_SESSIONS or (longest or 0) > SESSION_HITS:
        raise ValueError(f'an actor with {most} sessions, or a session of {longest} hits; '
                         f'at most {REMEMBERED_SESSIONS} and {SESSION_HITS} are allowed')


def places(db):
    rows = db.execute('SELECT client, epoch, seq, place, is_duplicate FROM ordered')
    return {tuple(key): (place, is_duplicate) for *key, place, is_duplicate in rows}


def reach_goals(db, counted, goals):
    at, reached = places(db), []
    for hit in counted:
        place, is_duplicate = at[hit['key']]
        reached += [(place, goal['name']) for goal in goals if not is_duplicate and facts.holds(goal['when'], hit['hit'])]
    db.execute('CREATE TABLE reached (place INTEGER, goal TEXT)')
    db.executemany('INSERT INTO reached VALUES (?, ?)', reached)
    db.execute('ALTER TABLE ordered ADD COLUMN goals INTEGER')
    db.execute('UPDATE ordered SET goals = (SELECT COUNT(*) FROM reached WHERE reached.place = ordered.place)')


def summarise(db, engaged, params):
    """The tables `visit` (a row for each session) and `fact` (a row for each counted hit), with all their dimensions."""
    db.execute('''
        CREATE TABLE session AS SELECT session, actor, MIN(at) AS at, MAX(at) - MIN(at) AS duration, MIN(place) AS first,
            MIN(CASE WHEN is_addressed THEN place END) AS lead, MIN(CASE WHEN is_page_view THEN place END) AS entry,
            MAX(CASE WHEN is_page_view THEN place END) AS exit, SUM(is_page_view) AS views,
            SUM(is_interaction) AS interactions, MAX(goals > 0) AS is_converting,
            MAX(hit_name = 'purchase' AND NOT is_duplicate) AS is_purchasing
        FROM ordered GROUP BY session''')
    ofhits = ', '.join(f'first_hit."{name}"' for name in facts.HIT_DIMENSIONS + params)
    led = ', '.join(f"COALESCE(lead_hit.own_{name}, '{absent}') AS {name}" for name, absent in facts.ACQUISITION.items())
    db.execute(f'''
        CREATE TABLE visit AS SELECT session.*, {ofhits}, {led},
            COALESCE(entry_hit.page, '{facts.NOT_SET}') AS entry_page, COALESCE(exit_hit.page, '{facts.NOT_SET}') AS exit_page,
            CASE WHEN session.first = known.first THEN 'new' ELSE 'returning' END AS visitor_kind,
            day_of(known.since) AS first_visit, duration > {engaged} OR is_converting OR views >= 2 AS is_engaged,
            views <= 1 AND interactions = 0 AS is_single_page
        FROM session JOIN ordered AS first_hit ON first_hit.rowid = session.first
            JOIN (SELECT actor, MIN(first) AS first, MIN(at) AS since FROM session GROUP BY actor) AS known USING (actor)
            LEFT JOIN ordered AS lead_hit ON lead_hit.rowid = session.lead
            LEFT JOIN ordered AS entry_hit ON entry_hit.rowid = session.entry
            LEFT JOIN ordered AS exit_hit ON exit_hit.rowid = session.exit''')
    led = ', '.join(f'visit.{name}' for name in [*facts.ACQUISITION, 'entry_page', 'exit_page', 'visitor_kind', 'first_visit'])
    db.execute(f'''
        CREATE TABLE fact AS SELECT ordered.*, {led}, place IS visit.entry AS is_entry, place IS visit.exit AS is_exit
        FROM ordered JOIN visit USING (session) ORDER BY place''')


def take_steps(db, counted, funnels):
    """The table `step`: which session took which step, and with whose hit."""
    hits, at = {}, places(db)
    for hit in counted:
        place, is_duplicate = at[hit['key']]
        if not is_duplicate:
            hits[place] = hit['hit']
    rows, taken = db.execute('SELECT session, place, visitor FROM ordered ORDER BY place').fetchall(), []
    for funnel in funnels:
        of_session, number = None, 0
        for session, place, visitor in rows:
            if session != of_session:
                of_session, number = session, 0
            if number < len(funnel['steps']) and place in hits and facts.holds(funnel['steps'][number]['when'], hits[place]):
                taken.append((session, funnel['name'], f"{number + 1} {funnel['steps'][number]['name']}", visitor))
                number += 1
    db.execute('CREATE TABLE step (session INTEGER, funnel TEXT, funnel_step TEXT, who TEXT)')
    db.executemany('INSERT INTO step VALUES (?, ?, ?, ?)', taken)


def insert_money(db, counted):
    """The tables `money` (of hits, their items included), `item` and `item_money`."""
    at, sums, items, of_items = places(db), [], [], []
    for hit in counted:
        place, is_duplicate = at[hit['key']]
        if is_duplicate:
            continue
        sums += [(place, *amount) for amount in facts.money(hit['hit'])]
        for item in hit['hit'].get('items', []):
            values = [item.get(name.removeprefix('item_')) or facts.NOT_SET for name in facts.ITEM_DIMENSIONS]
            items.append((place, facts.quantity_of(item), *values))
            for amount in facts.item_money(hit['hit'], item):
                sums.append((place, *amount))
                of_items.append((len(items), *amount))
    db.execute('CREATE TABLE money (place INTEGER, metric TEXT, currency TEXT, micros INTEGER)')
    db.execute(f"CREATE TABLE item (place INTEGER, quantity INTEGER, {', '.join(facts.ITEM_DIMENSIONS)})")
    db.execute('CREATE TABLE item_money (item INTEGER, metric TEXT, currency TEXT, micros INTEGER)')
    db.executemany('INSERT INTO money VALUES (?, ?, ?, ?)', sums)
    db.executemany('INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?)', items)
    db.executemany('INSERT INTO item_money VALUES (?, ?, ?, ?)', of_items)


def fates(accepted):
    """What became of the hits, by hour of receipt."""
    hours = {}
    for hit in accepted:
        books = hours.setdefault(hit['received'] - hit['received'] % HOUR,
                                 {'accepted': 0, 'counted': 0, 'duplicate': 0, 'filtered': {}, 'dead_lettered': 0})
        books['accepted'] += 1
        fate, _, reason = hit['fate'].partition(' ')
        if reason:
            books['filtered'][reason] = books['filtered'].get(reason, 0) + 1
        else:
            books[fate] += 1
    return [{'hour': rfc3339(hour), **books} for hour, books in sorted(hours.items())]


def insert(db, table, rows):
    """A table of these rows, which all have the same columns."""
    columns = ', '.join(f'"{name}"' for name in (rows[0] if rows else own_facts(NOTHING, [])))
    db.execute(f'CREATE TABLE {table} ({columns})')
    if rows:
        db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", [list(row.values()) for row in rows])


NOTHING = {'client': '', 'epoch': 1, 'seq': 1, 'at': 0, 'context': {}, 'hit': {'name': ''}}
