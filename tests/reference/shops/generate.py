"""Adversarial shops, the same ones for the same seed."""
import stories
from buckets import DAY, HOUR, MINUTE, Zone, instant
from dice import Dice
from plan import Shop, gather, wire

ZONES = ['UTC', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'America/St_Johns', 'Europe/Berlin', 'Pacific/Apia',
         'America/New_York', 'Asia/Kolkata', 'Pacific/Chatham', 'Africa/Cairo', 'America/Havana', 'Pacific/Kiritimati',
         'Asia/Tehran', 'Pacific/Marquesas']
TIMEOUTS = [30, 30, 30, 1, 5, 60, 90, 475]
# A kind of trouble is told by the story of its name, or changes how everything is made and sent.
STORIES = {name: getattr(stories, name) for name in [
    'visit', 'sign_in', 'two_clients', 'server', 'late', 'day_long', 'epochs', 'forgotten', 'holes', 'impostor', 'bots', 'sales',
    'sold_twice', 'borders', 'clock_change', 'untimed', 'oldest', 'history']}
KINDS = [*list(STORIES)[1:], 'duplicates', 'disorder', 'clocks', 'gaps', 'addresses', 'events', 'nowhere', 'currencies',
         'items', 'hostnames']
BY_RECEIPT = {'forgotten', 'holes', 'impostor', 'untimed', 'oldest'}  # their numbers depend on when hits are received
GOALS = {'joined': 'hit_name=sign_up', 'thanks': 'page=/thanks', 'products': 'page^=/p/', 'red': 'param:colour=red',
         'big': 'hit_name=purchase and value>=50', 'to_buy': 'page=/cart or hit_name=begin_checkout',
         'bought': 'hit_name=purchase', 'size_42': 'hit_name=share and param:size=42', 'worth': 'hit_name=vote and value>=12'}
FUNNELS = {
    'buying': [('view', 'page^=/p/ or hit_name=view_item'), ('cart', 'hit_name=add_to_cart or page=/cart'),
               ('checkout', 'hit_name=begin_checkout or page=/checkout'), ('buy', 'hit_name=purchase')],
    'two_pages': [('one', 'hit_name=page_view'), ('another', 'hit_name=page_view')],
    'joining': [('home', 'page=/'), ('share', 'hit_name=share and param:colour=red or hit_name=vote'),
                ('joined', 'hit_name=sign_up')],
}
REPORTS = [['page', 'source'], ['hit_name', 'param:colour'], ['page', 'source', 'country'], ['entry_page', 'exit_page'],
           ['exit_page', 'source'], ['item_id', 'item_variant'], ['item_category', 'source'], ['goal', 'source'],
           ['funnel', 'funnel_step', 'source'], ['source', 'medium', 'campaign'], ['hostname', 'page'],
           ['hit_name', 'country', 'visitor_kind'], ['item_id', 'page'], ['referrer_host', 'entry_page'],
           ['first_visit', 'visitor_kind'], ['search_term', 'page'], ['goal', 'visitor_kind'],
           ['param:colour', 'param:size'], ['language', 'click_id'], ['scroll_depth', 'page'], ['outbound', 'page']]
EXCLUDED = ['page=/search', 'hit_name=vote', 'page^=/caf', 'param:colour=blue', 'hit_name=scroll and page=/a']


def shop(seed, number):
    """The first line of a shop, the plan of its batches, and what trouble is in it."""
    dice = Dice(f'{seed}/{number}')
    kinds = set(KINDS) if number % 10 == 9 else {KINDS[number % len(KINDS)], *dice.some(KINDS, dice.below(6))}
    zone, timeout = dice.pick(ZONES), dice.pick(TIMEOUTS)
    start = begin(dice, kinds, zone)
    plan = Shop(dice, kinds, zone, start, start + dice.between(HOUR, 6 * DAY), timeout * MINUTE)
    wanted = dice.pick([20, 60, 120, 180, 240]) + dice.below(60)
    tell(plan, [kind for kind in STORIES if kind in kinds], wanted)
    week_start = dice.pick(['monday', 'monday', 'saturday', 'sunday'])
    header = {'shop': number, 'time_zone': zone, 'week_start': week_start, 'rules': rules(dice, kinds, timeout)}
    return header, gather(plan), kinds


def tell(plan, chosen, wanted):
    """Tells each of the chosen stories, then more of them and of plain visits, until there are enough hits."""
    for name in sorted(plan.dice.shuffled(chosen), key=lambda name: name == 'history'):  # which needs known clients
        if plan.hits < 210 or name == 'history':
            STORIES[name](plan)
    again = [name for name in chosen if name not in BY_RECEIPT | {'day_long', 'history', 'clock_change'}]
    while plan.hits < wanted:
        STORIES[plan.dice.pick(again + ['visit', 'visit'])](plan)


def begin(dice, kinds, zone):
    """When a shop opens: any time of three years; half a day before clocks change if it is about that."""
    at = instant('2024-01-01T00:00:00Z') + dice.below(1000 * DAY)
    if 'clock_change' in kinds:
        clocks = Zone(zone)
        for day in range(366):
            if clocks.offset(at + day * DAY) != clocks.offset(at + (day + 1) * DAY):
                return at + day * DAY - dice.below(12 * HOUR)
    return at


def rules(dice, kinds, timeout):
    reports = dice.some(REPORTS, dice.between(4, 7))
    params = sorted({name for report in reports for name in report if name.startswith('param:')})
    sessions = {'timeout_minutes': timeout} | ({'engaged_seconds': dice.pick([1, 5, 60])} if dice.chance(25) else {})
    hostnames = ['shop.example', 'www.shop.example'] if 'hostnames' in kinds else []
    return {
        'sessions': sessions,
        'goals': [{'name': name, 'when': GOALS[name]} for name in dice.some(GOALS, dice.below(5))],
        'funnels': [{'name': name, 'steps': [{'name': step, 'when': when} for step, when in FUNNELS[name]]}
                    for name in dice.some(FUNNELS, dice.below(3))],
        'filters': {'bots': 'bots' in kinds and dice.chance(70), 'hostnames': hostnames,
                    'exclude': dice.some(EXCLUDED, dice.below(3)) if dice.chance(30) else []},
        'channels': [],
        'reports': [{'by': [name]} for name in params] + [{'by': report} for report in reports],
    }


def lines(seed, count):
    """All lines of a file of shops."""
    for number in range(count):
        header, batches, _ = shop(seed, number)
        yield header
        for line in untie(wire(batches)):
            yield {'shop': number} | line


def untie(batches):
    """The same with no two hits of different clients at the same instant: which of those is the first is any."""
    taken, moved = {}, {}
    for line in batches:
        batch = line['batch']
        seq, skew = batch['first_seq'], line['received_ms'] - batch.get('sent_at_ms', line['received_ms'])
        skew = skew if line['lane'] == 'live' and abs(skew) >= MINUTE else 0
        for hit in batch['hits']:
            seq += hit.get('skipped', 0)
            key = batch['client_id'], batch['epoch'], seq
            seq += 1
            if not hit.get('time_ms'):
                continue
            while key not in moved and taken.setdefault(hit['time_ms'] + skew, key[0]) != key[0]:
                hit['time_ms'] += 1
            hit['time_ms'] = moved.setdefault(key, hit['time_ms'])
        yield line
