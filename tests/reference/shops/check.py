"""Tiny shops whose numbers are worked out by hand, so that the reference itself is tested."""
from buckets import instant, rfc3339
from fold import fold
from reference import answer

MONDAY = '2026-03-02T'
RULES = {'sessions': {'timeout_minutes': 30}, 'goals': [], 'funnels': [], 'filters': {}, 'reports': []}


def at(clock):
    """`10:00`, `10:00:00.001`, or a whole instant; on Monday, 2 March 2026."""
    return instant(clock if 'T' in clock else f'{MONDAY}{clock}Z')


def hit(clock, name='page_view', path=None, **fields):
    """A hit; `clock` None leaves the time out, `params` are given as a dictionary."""
    made = {'name': name} | ({'time_ms': at(clock)} if clock else {})
    made |= {'url': f'https://shop.example{path}'} if path is not None else {}
    kinds = {str: 'text', int: 'integer', float: 'number'}
    if 'params' in fields:
        fields['params'] = [{'name': key, kinds[type(value)]: value} for key, value in fields['params'].items()]
    return made | fields


def money(currency, units):
    return {'currency': currency, 'micros': round(units * 1_000_000)}


def batch(client, hits, received='23:00', first_seq=1, epoch=1, lane='live', **fields):
    """A batch whose client has the right time, received late unless said otherwise."""
    return {'received_ms': at(received), 'lane': lane, 'batch': {
        'client_id': client, 'epoch': epoch, 'first_seq': first_seq, 'sent_at_ms': at(received), 'hits': hits} | fields}


class Shop:
    def __init__(self, *batches, zone='UTC', **rules):
        self.zone = zone
        self.db, self.fates = fold({'time_zone': zone, 'rules': RULES | rules}, batches)

    def rows(self, metrics, by='', granularity='total', begin='2026-03-02T00:00:00Z', end='2026-03-03T00:00:00Z', **more):
        """Rows as [start, dimensions.., numbers..]; of a total without the start."""
        question = {'metrics': metrics.split(), 'by': by.split(), 'granularity': granularity, 'from': instant(begin),
                    'to': instant(end), 'time_zone': self.zone, 'week_start': 'monday'} | more
        rows = answer(self.db, question)
        return [([row['start']] if granularity != 'total' else []) + row['dimensions'] + row['numbers'] for row in rows]


def same(got, wanted):
    assert got == wanted, f'\n   got {got}\nwanted {wanted}'


def timeout_and_late_hits():
    # 10:00 and 10:30:00.000 are one session; 11:00:00.001 is 30:00.001 later: another. Durations 1,800 s and 0: 900 on average.
    shop = Shop(batch('a', [hit('10:30'), hit('10:00'), hit('11:00:00.001')]))
    same(shop.rows('sessions hits new_visitors avg_session_duration'), [[2, 3, 1, 900.0]])
    # A late one at 11:00 joins them: one session of 3,600.001 s.
    shop = Shop(batch('a', [hit('10:30'), hit('10:00'), hit('11:00:00.001')]), batch('a', [hit('11:00')], '23:30', 4))
    same(shop.rows('sessions avg_session_duration visitors'), [[1, 3600.001, 1]])
    # Sessions count where they begin, hits where they are.
    same(shop.rows('sessions hits', granularity='hour', begin='2026-03-02T10:00:00Z', end='2026-03-02T12:00:00Z'),
         [[MONDAY + '10:00:00Z', 1, 2], [MONDAY + '11:00:00Z', 0, 2]])


def cut_after_a_day():
    # A hit each 7 h under a timeout of 7 h: 0, 7, 14, 21 h are one session; 28 h is a day after 0 h, begins another, with 35 h.
    hours = ['2026-03-02T00:00:00Z', '2026-03-02T07:00:00Z', '2026-03-02T14:00:00Z', '2026-03-02T21:00:00Z',
             '2026-03-03T04:00:00Z', '2026-03-03T11:00:00Z']
    rules = {'sessions': {'timeout_minutes': 420}}
    chain = batch('a', [hit(hour) for hour in hours], '2026-03-03T12:00:00Z')
    shop = Shop(chain, **rules)
    same(shop.rows('sessions new_visitors', granularity='day', end='2026-03-04T00:00:00Z'),
         [['2026-03-02T00:00:00Z', 1, 1], ['2026-03-03T00:00:00Z', 1, 0]])
    # Exactly 24 h after the first is cut (7, 7 and 3 h after 7:00, 14:00 and 21:00), a millisecond less is not.
    for last, sessions in (('2026-03-03T00:00:00Z', 2), ('2026-03-02T23:59:59.999Z', 1)):
        shop = Shop(batch('a', [hit(hour) for hour in hours[:4] + [last]], '2026-03-03T12:00:00Z'), **rules)
        same(shop.rows('sessions', end='2026-03-04T00:00:00Z'), [[sessions]])
    # An older hit at 1 March 20:00 moves the cut: 20:00 .. 14:00 is one session (21:00 is 25 h later), and 21:00, 4:00,
    # 11:00 are the other.
    shop = Shop(chain, batch('a', [hit('2026-03-01T20:00:00Z')], '2026-03-03T13:00:00Z', 7), **rules)
    same(shop.rows('sessions hits', granularity='day', begin='2026-03-01T00:00:00Z', end='2026-03-04T00:00:00Z'),
         [['2026-03-01T00:00:00Z', 1, 1], ['2026-03-02T00:00:00Z', 1, 4], ['2026-03-03T00:00:00Z', 0, 2]])


def visitors_who_sign_in():
    # Client a: 10:00 nobody, 10:05 ann, 12:00 not repeated, in another session: actor a and user ann. Client b at 12:00 is
    # ann too: 2 visitors, 2 actors, 3 sessions.
    ann = {'user_id': 'ann'}
    shop = Shop(batch('a', [hit('10:00'), hit('10:05', context=ann), hit('12:00')]), batch('b', [hit('12:00')], context=ann))
    same(shop.rows('visitors sessions new_visitors'), [[2, 3, 2]])
    same(shop.rows('visitors', granularity='hour', begin='2026-03-02T10:00:00Z', end='2026-03-02T13:00:00Z'),
         [[MONDAY + '10:00:00Z', 2], [MONDAY + '11:00:00Z', 0], [MONDAY + '12:00:00Z', 1]])
    # What a hit says of its context wins over what its batch says, field by field.
    other = batch('b', [hit('12:00', context={'user_id': 'bob'})], context=ann | {'country': 'de'})
    same(Shop(batch('a', [hit('10:00')], context=ann), other).rows('visitors', 'country'), [['(not set)', 1], ['DE', 1]])
    same(Shop(batch('a', [hit('10:00')], context=ann), other).rows('visitors'), [[2]])
    # A user and an actor with the same text are two: client ann before it signs in as ann.
    same(Shop(batch('ann', [hit('10:00'), hit('10:05', context=ann)])).rows('visitors sessions'), [[2, 1]])
    # A server names the client a as its visitor: the same actor, in the same session; w is another.
    server = batch('server', [hit('10:20', context={'visitor_id': 'a'}), hit('13:00', context={'visitor_id': 'w'})])
    same(Shop(batch('a', [hit('10:00')]), server).rows('visitors sessions hits'), [[2, 2, 3]])


def duplicates_and_dead_letters():
    # Seqs 1, 2, (3 and 4 never sent), 5; again; then 4, 5, 6 of which 6 is new, since 4 is no hole: 4 hits of 9.
    hits = [hit('10:00'), hit('10:01'), hit('10:02', skipped=2)]
    overlap = batch('a', [hit('10:03'), hit('10:02'), hit('10:04')], '12:00', 4)
    shop = Shop(batch('a', hits, '11:00'), batch('a', hits, '11:30'), overlap)
    same([[books[fate] for fate in ('accepted', 'counted', 'duplicate')] for books in shop.fates], [[6, 3, 3], [3, 1, 2]])
    same(shop.rows('hits sessions'), [[4, 1]])
    # Every other seq from 1 to 201: of the 100 holes the latest 64 are open, 74, 76 .. 200. 72 counts as filled, 74 does not.
    shop = Shop(*(batch('a', [hit('10:00')], '11:00', seq) for seq in [*range(1, 202, 2), 72, 74, 74]))
    same([(books['counted'], books['duplicate']) for books in shop.fates], [(102, 2)])
    # Of the epochs 1 to 9 the newest 8 are remembered: 1 is dead-lettered, even a new seq of it; 2 is not.
    shop = Shop(*(batch('a', [hit('10:00')], '11:00', epoch=epoch) for epoch in range(1, 10)),
                batch('a', [hit('10:00')], '11:00', 2, 1), batch('a', [hit('10:00')], '11:00', 2, 2))
    same([(books['counted'], books['dead_lettered']) for books in shop.fates], [(10, 1)])


def wrong_clocks():
    # Received at 11:00:00. A clock that is 60 s ahead is corrected, by 59.999 s not; two years behind is.
    def hour(sent, time, lane='live'):
        line = batch('a', [{'name': 'page_view', 'time_ms': at(time)}], '11:00', lane=lane, sent_at_ms=at(sent) if sent else 0)
        return [row[0] for row in Shop(line).rows('hits', 'hit_name', 'hour', '2024-01-01T00:00:00Z', '2026-03-04T00:00:00Z')]
    same(hour('11:01:00', '11:00:30'), [MONDAY + '10:00:00Z'])
    same(hour('11:00:59.999', '11:00:30'), [MONDAY + '11:00:00Z'])
    same(hour('2024-03-02T11:00:00Z', '2024-03-02T10:59:59.999Z'), [MONDAY + '10:00:00Z'])
    # Unknown clocks and history are taken as they are; without a time it is the time of receipt.
    same(hour('', '10:30'), [MONDAY + '10:00:00Z'])
    same(hour('2026-03-02T11:30:00Z', '2024-03-02T10:10:00Z', 'history'), ['2024-03-02T10:00:00Z'])
    line = batch('a', [{'name': 'page_view'}], '11:00', sent_at_ms=at('09:00'))
    same(Shop(line).rows('hits', 'hit_name', 'hour'), [[MONDAY + '11:00:00Z', 'page_view', 1]])


def visits_and_sources():
    # a: the lead is the 2nd hit (the 1st has no address): newsletter. Its third hit has a later campaign that changes nothing.
    a = batch('a', [hit('10:00', 'session_start'),
                    hit('10:01', path='/a?utm_source=newsletter&utm_medium=&gclid=1&utm_source=second#x'),
                    hit('10:02', path='/b?utm_source=other')])
    # b comes from www.google.com, c from its own site, d by a click id of Google's display, e by fbclid from a host in capitals.
    b = batch('b', [hit('10:00', path='/', referrer='https://www.google.com/search?q=x')])
    c = batch('c', [hit('10:00', path='', referrer='https://www.shop.example/a')])
    d = batch('d', [hit('10:00', path='/d?dclid=7&utm_medium=banner')])
    e = batch('e', [hit('10:00', path='/d?fbclid=7', referrer='http://L.Facebook.com:80/')])
    shop = Shop(a, b, c, d, e)
    same(shop.rows('sessions page_views', 'source medium click_id referrer_host'), [
        ['(direct)', '(none)', '(not set)', '(none)', 1, 1], ['google', 'banner', 'dclid', '(none)', 1, 1],
        ['l.facebook.com', 'referral', 'fbclid', 'l.facebook.com', 1, 1], ['newsletter', '(not set)', 'gclid', '(none)', 1, 2],
        ['www.google.com', 'referral', '(not set)', 'www.google.com', 1, 1]])
    # By pages: a's session is under the page of its first hit, which has none. Entry /a, exit /b.
    same(shop.rows('sessions page_views entrances exits exit_rate', 'page'), [
        ['(not set)', 1, 0, 0, 0, None], ['/', 2, 2, 2, 2, 1.0], ['/a', 0, 1, 1, 0, 0.0], ['/b', 0, 1, 0, 1, 1.0],
        ['/d', 2, 2, 2, 2, 1.0]])
    same(shop.rows('sessions', 'exit_page'), [['/', 2], ['/b', 1], ['/d', 2]])
    same(shop.rows('page_views', 'entry_page', filter='source=newsletter|google and page!=/b'), [['/a', 1], ['/d', 1]])


def engagement():
    # a: exactly 10 s, one view: not engaged, and single page. b: 10.001 s. c: two views at once. d: a goal, which is an
    # interaction. e: two events that are none: single page. 3 of 5 engaged; single: a, b, e.
    shop = Shop(batch('a', [hit('10:00'), hit('10:00:10', 'scroll')]), batch('b', [hit('10:00'), hit('10:00:10.001', 'scroll')]),
                batch('c', [hit('10:00'), hit('10:00')]), batch('d', [hit('10:00', 'sign_up')]),
                batch('e', [hit('10:00', 'tick', params={'interactive': 'false'}),
                            hit('10:00', 'tock', params={'interactive': 0})]),
                goals=[{'name': 'joined', 'when': 'hit_name=sign_up'}])
    same(shop.rows('sessions engaged_sessions single_page_sessions converting_sessions'), [[5, 3, 3, 1]])
    same(shop.rows('engagement_rate bounce_rate interactions scrolls'), [[0.6, 0.4, 1, 2]])
    same(shop.rows('hits visitors sessions', 'goal'), [['joined', 1, 1, 1]])
    same(shop.rows('pages_per_session avg_session_duration'), [[0.8, 4.0002]])


def purchases_and_refunds():
    # The server's purchase T1 at 9:50 came last but is the first: 50 EUR. The browser's at 10:00 is a duplicate, and reaches
    # no goal.
    browser = batch('b', [hit('10:00', 'purchase', value=money('EUR', 55), transaction_id='T1', params={'tax': 9.5}),
                          hit('10:01', 'purchase', value=money('USD', 20)), hit('10:02', 'purchase', value=money('USD', 10.01)),
                          hit('10:03', 'refund', value=money('EUR', -60), transaction_id='T1')])
    first = hit('09:50', 'purchase', value=money('EUR', 50), transaction_id='T1', params={'tax': 9, 'shipping': 4.99})
    server = batch('s', [first], '23:30')
    shop = Shop(browser, server, goals=[{'name': 'bought', 'when': 'hit_name=purchase and value>=20'}])
    same(shop.rows('hits purchases duplicate_purchases refunds revenue refunded net_revenue conversions'),
         [[5, 3, 1, 1, {'EUR': 50_000_000, 'USD': 30_010_000}, {'EUR': 60_000_000}, {'EUR': -10_000_000, 'USD': 30_010_000}, 2]])
    same(shop.rows('tax shipping avg_order_value'),
         [[{'EUR': 9_000_000}, {'EUR': 4_990_000}, {'EUR': 50_000_000, 'USD': 15_005_000}]])
    same(shop.rows('purchasing_sessions interactions value'), [[2, 4, {'EUR': 110_000_000, 'USD': 30_010_000}]])
    # Of the same instant the client that comes first counts: b before s.
    tie = [batch(client, [hit('10:00', 'purchase', value=money('EUR', units), transaction_id='T')], '11:00')
           for client, units in (('s', 2), ('b', 1))]
    same(Shop(*tie).rows('purchases revenue', 'hit_name'), [['purchase', 1, {'EUR': 1_000_000}]])
    same(Shop(*tie, filters={'exclude': ['param:x=1']}).rows('purchasing_sessions sessions duplicate_purchases'), [[1, 2, 1]])


def items():
    # 2 hats at 5 with 1 off each, on two lines with 0 (that is 1) more; the refund gives one back. Without a currency it is XXX.
    lines = [{'id': 'hat', 'name': 'Hat', 'price_micros': 5_000_000, 'quantity': 2, 'discount_micros': 1_000_000},
             {'id': 'hat', 'name': 'Hat', 'price_micros': 4_000_000}, {'name': 'Pin', 'price_micros': 500_000, 'quantity': 10}]
    shop = Shop(batch('a', [hit('10:00', 'view_item', items=lines[:1]), hit('10:02', 'refund', items=lines[1:2]),
                            hit('10:01', 'purchase', items=lines, value=money('EUR', 19))]))
    same(shop.rows('items_viewed items_purchased items_refunded item_views purchase_to_view_rate'), [[2, 13, 1, 1, 1.0]])
    same(shop.rows('item_revenue net_item_revenue discount'),
         [[{'EUR': 19_000_000}, {'EUR': 19_000_000, 'XXX': -4_000_000}, {'EUR': 2_000_000}]])
    same(shop.rows('items_purchased item_revenue item_refunded', 'item_id'),
         [['(not set)', 10, {'EUR': 5_000_000}, {}], ['hat', 3, {'EUR': 14_000_000}, {'XXX': 4_000_000}]])


def funnels():
    # a: view, cart, view, buy: steps 1, 2, 3. b: cart, view, buy: only 1, since the cart comes before, and since the view
    # would be the second step too, but one hit takes one step. c: nothing.
    steps = [{'name': 'view', 'when': 'page^=/p/'}, {'name': 'cart', 'when': 'hit_name=add_to_cart or page=/p/fast'},
             {'name': 'buy', 'when': 'hit_name=purchase'}]
    a = [hit('10:50', path='/p/x'), hit('10:55', 'add_to_cart'), hit('11:00', path='/p/x'), hit('11:05', 'purchase')]
    b = [hit('11:00', 'add_to_cart'), hit('11:01', path='/p/fast'), hit('11:02', 'purchase')]
    shop = Shop(batch('a', a), batch('b', b), batch('c', [hit('11:00')]), funnels=[{'name': 'shop', 'steps': steps}])
    same(shop.rows('sessions visitors', 'funnel funnel_step', 'hour'), [
        [MONDAY + '10:00:00Z', 'shop', '1 view', 1, 1], [MONDAY + '10:00:00Z', 'shop', '2 cart', 1, 1],
        [MONDAY + '10:00:00Z', 'shop', '3 buy', 1, 1], [MONDAY + '11:00:00Z', 'shop', '1 view', 1, 1]])


def filters():
    # A bot and an excluded page leave no trace: the excluded hit at 10:25 does not hold the session together.
    bot = {'user_agent': 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'}
    shop = Shop(batch('a', [hit('10:00', path='/'), hit('10:25', path='/admin/x'), hit('10:45', path='/')]),
                batch('g', [hit('10:00', path='/')], context=bot),
                filters={'bots': True, 'hostnames': ['shop.example'], 'exclude': ['page^=/admin/']})
    same(shop.rows('hits sessions visitors'), [[2, 2, 1]])
    same([(books['counted'], books['filtered']) for books in shop.fates], [(2, {'excluded': 1, 'bot': 1})])


def dimensions_of_hits():
    # Of a parameter that comes twice the first counts. Links within the site and to nobody are not outbound.
    shop = Shop(batch('a', [
        hit('10:00', 'view_search_results') | {'params': [{'name': 'search_term', 'text': term} for term in ('hat', 'second')]},
        hit('10:01', 'view_search_results'),
        hit('10:02', 'click', '/a', params={'link_url': 'https://other.example/x'}),
        hit('10:03', 'click', '/a', params={'link_url': 'mailto:a@b.example'}),
        hit('10:04', 'click', '/a', params={'link_url': 'https://shop.example/b'}),
        hit('10:05', 'scroll'), hit('10:06', 'scroll', params={'percent_scrolled': 50}),
        hit('10:07', 'file_download', params={'file_name': 'a.pdf'}),
        hit('10:08', 'screen_view', screen='Home', context={'country': 'de'})]))
    same(shop.rows('searches outbound_clicks scrolls downloads page_views'), [[2, 1, 2, 1, 1]])
    same([row for name in ('search_term', 'outbound', 'scroll_depth', 'file') for row in shop.rows('hits', name)],
         [['hat', 1], ['https://other.example/x', 1], ['50', 1], ['90', 1], ['a.pdf', 1]])
    same(shop.rows('page_views sessions', 'page country'), [['(not set)', '(not set)', 0, 1], ['Home', 'DE', 1, 0]])


def buckets():
    # Berlin's clocks go from 2:00 to 3:00 at 1:00 UTC on 29 March 2026: that day has 23 hours. Kathmandu's hours begin at
    # :15 UTC.
    hits = [hit('2026-03-28T22:59:59.999Z'), hit('2026-03-28T23:00:00Z'), hit('2026-03-29T21:59:59.999Z'),
            hit('2026-03-29T22:00:00Z')]
    received, begin, end = '2026-03-30T00:00:00Z', '2026-03-28T12:00:00Z', '2026-03-30T00:00:00Z'
    same(Shop(batch('a', hits, received), zone='Europe/Berlin').rows('hits', '', 'day', begin, end),
         [['2026-03-27T23:00:00Z', 1], ['2026-03-28T23:00:00Z', 2], ['2026-03-29T22:00:00Z', 1]])
    same(Shop(batch('a', hits, received), zone='Asia/Kathmandu').rows('hits', 'hit_name', 'hour', begin, end)[0],
         ['2026-03-28T22:15:00Z', 'page_view', 2])
    # Apia had no 30 December 2011: it was left out at 10:00 UTC, and the week was of six days.
    hits = [hit('2011-12-30T09:59:59.999Z'), hit('2011-12-30T10:00:00Z')]
    apia = Shop(batch('a', hits, lane='history'), zone='Pacific/Apia')
    days = apia.rows('hits', '', 'day', '2011-12-29T10:00:00Z', '2011-12-31T10:00:00Z')
    same(days, [['2011-12-29T10:00:00Z', 1], ['2011-12-30T10:00:00Z', 1]])
    same(apia.rows('hits', 'first_visit', 'week', '2011-12-29T10:00:00Z', '2011-12-31T10:00:00Z'),
         [['2011-12-26T10:00:00Z', '2011-12-29', 2]])
    # Weeks begin as the merchant says: Monday, 2 March 2026, is in the week from Saturday, 28 February.
    shop = Shop(batch('a', [hit('10:00')]))
    same(shop.rows('hits', '', 'week', week_start='saturday'), [['2026-02-28T00:00:00Z', 1]])
    same(shop.rows('hits', '', 'week'), [['2026-03-02T00:00:00Z', 1]])
    # On Lord Howe clocks went back from 2:00 to 1:30 at 15:00 UTC on 4 April 2026: the 30 minutes from then on are an hour
    # of their own.
    lord_howe = Shop(batch('a', [hit('2026-04-04T14:59:59.999Z'), hit('2026-04-04T15:00:00Z')], '2026-04-04T16:00:00Z'),
                     zone='Australia/Lord_Howe')
    same(lord_howe.rows('hits', '', 'hour', '2026-04-04T14:00:00Z', '2026-04-04T16:00:00Z'),
         [['2026-04-04T14:00:00Z', 1], ['2026-04-04T15:00:00Z', 1], ['2026-04-04T15:30:00Z', 0]])
    # A total is widened to quarters of an hour.
    shop = Shop(batch('a', [hit('10:14:59.999'), hit('10:15'), hit('10:30')]))
    same(shop.rows('hits', '', 'total', MONDAY + '10:16:00Z', MONDAY + '10:29:00Z'), [[1]])
    assert rfc3339(at('10:00:00.001')) == MONDAY + '10:00:00.001Z'


CASES = [timeout_and_late_hits, cut_after_a_day, visitors_who_sign_in, duplicates_and_dead_letters, wrong_clocks,
         visits_and_sources, engagement, purchases_and_refunds, items, funnels, filters, dimensions_of_hits, buckets]


def check():
    """Runs all cases; how many there are."""
    for case in CASES:
        case()
    return len(CASES)
