"""Answers questions about a folded shop: docs/semantics.md, Metrics and Dimensions, in SQL."""
import re
from fractions import Fraction

import facts
from buckets import Zone, rfc3339

COUNTS = {  # of hits, in the bucket of the hit
    'hits': 'COUNT(*)', 'page_views': 'SUM(is_page_view)', 'visitors': 'COUNT(DISTINCT visitor)',
    'interactions': 'SUM(is_interaction)', 'entrances': 'SUM(is_entry)', 'exits': 'SUM(is_exit)', 'conversions': 'SUM(goals)',
    'purchases': "SUM(hit_name = 'purchase' AND NOT is_duplicate)", 'duplicate_purchases': 'SUM(is_duplicate)',
    'refunds': "SUM(hit_name = 'refund')", 'item_views': "SUM(hit_name = 'view_item')",
    'add_to_carts': "SUM(hit_name = 'add_to_cart')", 'remove_from_carts': "SUM(hit_name = 'remove_from_cart')",
    'checkouts': "SUM(hit_name = 'begin_checkout')", **{metric: f'SUM({metric})' for metric in facts.ITEMS_OF.values()},
    'searches': "SUM(hit_name = 'view_search_results')", 'outbound_clicks': 'SUM(outbound IS NOT NULL)',
    'downloads': "SUM(hit_name = 'file_download')", 'scrolls': "SUM(hit_name = 'scroll')", 'engagement': 'SUM(engagement)',
}
SESSIONS = {  # of sessions, in the bucket of the first hit
    'sessions': 'COUNT(*)', 'new_visitors': "SUM(visitor_kind = 'new')", 'engaged_sessions': 'SUM(is_engaged)',
    'single_page_sessions': 'SUM(is_single_page)', 'purchasing_sessions': 'SUM(is_purchasing)',
    'converting_sessions': 'SUM(is_converting)', 'duration': 'SUM(duration)',
}
COUNTS_OF_ITEMS = {metric: f"SUM((hit_name = '{name}') * quantity)" for name, metric in facts.ITEMS_OF.items()}
GOALS_OF_SESSIONS = 'SELECT DISTINCT session, goal FROM reached JOIN ordered USING (place)'
HIDDEN = {'engagement', 'duration'}  # are only parts of ratios
SUMS = ['value', 'revenue', 'refunded', 'net_revenue', 'tax', 'shipping']
ITEM_SUMS = ['discount', 'item_revenue', 'item_refunded', 'net_item_revenue']
DIFFERENCES = {'net_revenue': ('revenue', 'refunded'), 'net_item_revenue': ('item_revenue', 'item_refunded')}
RATIOS = {  # part, whole, and what the part is divided by to be in the metric's unit
    'engagement_rate': ('engaged_sessions', 'sessions', 1), 'bounce_rate': ('bounced', 'sessions', 1),
    'single_page_rate': ('single_page_sessions', 'sessions', 1), 'avg_session_duration': ('duration', 'sessions', 1000),
    'purchase_rate': ('purchasing_sessions', 'sessions', 1), 'session_conversion_rate': ('converting_sessions', 'sessions', 1),
    'pages_per_session': ('page_views', 'sessions', 1), 'avg_engagement_time': ('engagement', 'sessions', 1000),
    'entrance_rate': ('entrances', 'page_views', 1), 'exit_rate': ('exits', 'page_views', 1),
    'cart_to_view_rate': ('add_to_carts', 'item_views', 1), 'purchase_to_view_rate': ('purchases', 'item_views', 1),
}
OF_SESSIONS = [metric for metric in [*SESSIONS, *list(RATIOS)[:6]] if metric not in HIDDEN]
OF_HITS = [metric for metric in [*COUNTS, *SESSIONS] if metric not in HIDDEN] + [*SUMS, *ITEM_SUMS, 'avg_order_value', *RATIOS]
OF_ITEMS = [*facts.ITEMS_OF.values(), *ITEM_SUMS]
OF_GOALS = ['hits', 'visitors', 'sessions', 'conversions']
OF_FUNNELS = ['sessions', 'visitors']


def metrics_of(by):
    """The metrics that have a meaning by these dimensions."""
    special = [(['goal'], OF_GOALS), (['funnel'], OF_FUNNELS), (facts.ITEM_DIMENSIONS, OF_ITEMS), (['exit_page'], OF_SESSIONS)]
    return next((metrics for names, metrics in special if set(names) & set(by)), OF_HITS)


def answer(db, question):
    """The rows of a question, sorted; when broken down without those in which everything is 0."""
    zone, granularity = Zone(question['time_zone'], question['week_start']), question['granularity']
    begin, end = zone.widened(granularity, question['from'], question['to'])
    starts = {}

    def bucket(at):
        if at not in starts:
            starts[at] = begin if granularity == 'total' else zone.start(granularity, at)
        return starts[at]

    db.create_function('bucket', 1, bucket, deterministic=True)
    where = f"at >= {begin} AND at < {end}{filter_sql(question.get('filter', ''))}"
    cells = gather(db, question['by'], where)
    if not question['by']:
        for start in zone.buckets(granularity, begin, end):
            cells.setdefault((start,), {})
    rows = []
    for key in sorted(cells):
        numbers = [number_of(metric, cells[key]) for metric in question['metrics']]
        if any(numbers) or not question['by']:
            rows.append({'start': rfc3339(key[0]), 'dimensions': list(key[1:]), 'numbers': numbers})
    return rows


def gather(db, by, where):
    """What is known under each (bucket, values of the dimensions)."""
    cells = {}
    keys = ', '.join(['bucket(at)', *(f'"{name}"' for name in by)])
    where += ''.join(f' AND "{name}" IS NOT NULL' for name in by)

    def add(metrics, source):
        for row in db.execute(f"SELECT {keys}, {', '.join(metrics.values())} FROM {source} WHERE {where} GROUP BY {keys}"):
            cells.setdefault(row[:1 + len(by)], {}).update(zip(metrics, row[1 + len(by):]))

    def add_money(source):
        rows = db.execute(f'SELECT {keys}, metric, currency, SUM(micros), COUNT(*) FROM {source} WHERE {where} '
                          f'GROUP BY {keys}, metric, currency')
        for *key, metric, currency, micros, count in rows:
            cell = cells.setdefault(tuple(key), {})
            cell.setdefault(metric, {})[currency] = micros
            cell.setdefault(f'{metric}_count', {})[currency] = count

    if 'goal' in by:
        counts = {'hits': 'COUNT(*)', 'visitors': 'COUNT(DISTINCT visitor)', 'conversions': 'COUNT(*)'}
        add(counts, 'fact JOIN reached USING (place)')
        add({'sessions': 'COUNT(DISTINCT session)'}, f'visit JOIN ({GOALS_OF_SESSIONS}) USING (session)')
    elif 'funnel' in by:
        add({'sessions': 'COUNT(*)', 'visitors': 'COUNT(DISTINCT who)'}, 'visit JOIN step USING (session)')
    elif set(by) & set(facts.ITEM_DIMENSIONS):
        add(COUNTS_OF_ITEMS, 'fact JOIN item USING (place)')
        add_money('fact JOIN item USING (place) JOIN item_money ON item_money.item = item.rowid')
    else:
        if 'exit_page' not in by:
            add(COUNTS, 'fact')
            add_money('fact JOIN money USING (place)')
        add(SESSIONS, 'visit')
    return cells


def number_of(metric, cell):
    if metric in DIFFERENCES:
        whole, part = (cell.get(name, {}) for name in DIFFERENCES[metric])
        return nonzero({currency: whole.get(currency, 0) - part.get(currency, 0) for currency in whole | part})
    if metric == 'avg_order_value':
        orders = cell.get('revenue_count', {})
        return nonzero({currency: micros / orders[currency] for currency, micros in cell.get('revenue', {}).items()})
    if metric in SUMS + ITEM_SUMS:
        return nonzero(cell.get(metric, {}))
    if metric in RATIOS:
        part, whole, unit = RATIOS[metric]
        cell = cell | {'bounced': cell.get('sessions', 0) - cell.get('engaged_sessions', 0)}
        return float(Fraction(cell.get(part, 0), cell[whole] * unit)) if cell.get(whole) else None
    return cell.get(metric, 0)


def nonzero(sums):
    """Sums of money, without currencies of which there is nothing; whole micros as whole numbers."""
    return {currency: int(micros) if micros == int(micros) else micros for currency, micros in sorted(sums.items()) if micros}


def filter_sql(text):
    """`page^=/p/ and source=google|bing`: all must hold; of the values between bars one."""
    return ''.join(f' AND {one_filter(test)}' for test in text.split(' and ') if test)


def one_filter(test):
    name, negated, operator, values = re.fullmatch(r'([\w:]+?)(!?)(\^=|=|~)(.*)', test).groups()
    shapes = {'=': "\"{0}\" = '{1}'", '^=': "SUBSTR(\"{0}\", 1, LENGTH('{1}')) = '{1}'", '~': "INSTR(\"{0}\", '{1}') > 0"}
    tests = ' OR '.join(shapes[operator].format(name, value.replace("'", "''")) for value in values.split('|'))
    return f"({'NOT ' if negated else ''}({tests}))"
