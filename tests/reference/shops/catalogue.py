"""Hits of all sorts, as proto3 JSON without a time."""

BROWSERS = ['Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
            'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) '
            'Version/17.4 Safari/605.1.15',
            'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36']
BOTS = ['Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
        'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
        'Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)']
SITES = ['https://shop.example', 'https://shop.example', 'https://shop.example', 'https://www.shop.example',
         'https://SHOP.example:8443', 'http://user:pw@shop.example']
STRANGE_SITES = ['https://blog.shop.example', 'https://scraper.example.net']
PATHS = ['/', '', '/a', '/a/', '/A', '/p/red-shoe', '/p/blue-hat', '/p/pin', '/cart', '/checkout', '/thanks', '/search',
         '/caf%C3%A9']
ENDINGS = ['', '', '', '?x=1', '#top', '?q=a/b&r=%3F#part/2', '?utm_id=7']
TAGS = ['utm_source=newsletter&utm_medium=email&utm_campaign=spring', 'gclid=abc', 'gbraid=1', 'wbraid=2&utm_campaign=autumn',
        'utm_source=google&utm_medium=cpc&utm_term=hats&utm_content=v1', 'dclid=1', 'msclkid=5', 'fbclid=9', 'ttclid=1',
        'twclid=1&li_fat_id=2', 'fbclid=1&gclid=2', 'utm_source=&gclid=3', 'utm_source=first&utm_source=second',
        'utm_medium=social', 'utm_source=partner&msclkid=1', 'utm_campaign=only', 'utm_medium=&utm_source=x', 'gclid=',
        'UTM_SOURCE=capitals', 'ref=hn&source=hn']
ENCODED_TAGS = ['utm_source=Gro%C3%9F&utm_campaign=Big+Sale', 'utm%5Fsource=hidden', 'utm_source=a%26b&utm_term=50%25']
REFERRERS = ['https://www.google.com/', 'https://www.google.com/search?q=x', 'https://t.co/abc',
             'http://News.Example.org:8080/x?y#z', 'https://shop.example/a', 'https://www.shop.example/', 'https://SHOP.EXAMPLE/',
             'https://blog.shop.example/post', 'https://www.other.example/?utm_source=not-mine']
COLOURS = ['red', 'green', 'blue', 'red and green']
CURRENCIES = ['EUR', 'USD', 'JPY', '']
GOODS = [{'id': 'shoe', 'name': 'Red shoe', 'brand': 'Fjord', 'category': 'shoes', 'price_micros': 89_900_000},
         {'id': 'hat', 'name': 'Blue hat', 'category': 'hats', 'price_micros': 25_000_000},
         {'name': 'Pin', 'brand': 'Hut', 'price_micros': 333_333}, {'id': 'gift'}]
EVENTS = {'search': ['view_search_results'], 'click': ['click'], 'scroll': ['scroll'], 'download': ['file_download'],
          'quiet': ['session_start', 'first_visit', 'user_engagement'], 'engaged': ['user_engagement'], 'sign_up': ['sign_up'],
          'custom': ['share', 'vote', 'Video_Play2'], 'opted_out': ['share', 'vote'], 'worth': ['vote', 'Video_Play2']}
NOWHERE = [{'name': 'screen_view', 'screen': 'Home'}, {'name': 'screen_view', 'screen': '/a'}, {'name': 'screen_view'},
           {'name': 'page_view'}, {'name': 'session_start'}, {'name': 'share', 'referrer': 'https://t.co/x'},
           {'name': 'page_view', 'url': '/a?b'}]


def page(shop, path=None, first=False):
    """A page view; the first of a visit often has tags or comes from somewhere."""
    dice, hit = shop.dice, {'name': 'page_view'}
    site = dice.pick(STRANGE_SITES if dice.chance(10) and {'hostnames', 'addresses'} & shop.kinds else SITES)
    ending = dice.pick(ENDINGS)
    if first and dice.chance(60) and 'addresses' in shop.kinds:
        tags = dice.pick(ENCODED_TAGS) if dice.chance(6) else dice.pick(TAGS)
        ending = dice.pick(['?', '?x=1&', '?']) + tags + dice.pick(['', '#utm_source=fragment'])
    hit['url'] = site + (dice.pick(PATHS) if path is None else path) + ending
    if dice.chance(60 if first else 25):
        hit['referrer'] = dice.pick(REFERRERS if 'addresses' in shop.kinds else REFERRERS[:5])
    if dice.chance(20):
        hit['title'] = 'A page'
    return hit


def params(**values):
    kinds = {str: 'text', int: 'integer', float: 'number'}
    return [{'name': name, kinds[type(value)]: value} for name, value in values.items()]


def event(shop):
    """Any event that is no page view."""
    dice = shop.dice
    kind = dice.pick([*EVENTS, 'custom'])
    hit = {'name': dice.pick(EVENTS[kind])}
    if kind == 'click' or 'hostnames' in shop.kinds or kind != 'quiet' and dice.chance(70):
        hit['url'] = page(shop)['url']
    if kind == 'search' and dice.chance(85):
        hit['params'] = params(search_term=dice.pick(['hat', 'Hat', 'red shoe', 'ä']))
        hit['params'] += dice.pick([[], params(search_term='second')])
    elif kind == 'click' and dice.chance(85):
        links = ['https://other.example/x?y', 'https://other.example/', 'https://shop.example.org/b']
        within = ['mailto:a@other.example', '/relative', hit['url'].split('?')[0]]
        hit['params'] = params(link_url=dice.pick(links + within))
    elif kind == 'scroll' and dice.chance(60):
        hit['params'] = params(percent_scrolled=dice.pick([10, 50, 90]))
    elif kind == 'download' and dice.chance(80):
        hit['params'] = params(file_name=dice.pick(['a.pdf', 'b.zip', 'A.pdf']))
    elif kind == 'engaged':
        hit['params'] = params(engagement_time_msec=dice.pick([0, 1, 4321, 60_000, 86_400_000]))
    elif kind == 'opted_out':
        hit['params'] = params(interactive=dice.pick(['false', 0, 'true', 1]), colour='red')
    elif kind == 'worth':
        hit['value'] = money(shop, dice.pick([1, 50_000_000, 49_999_999, -3_000_000, 12_345_678]))
    elif kind == 'custom':
        hit['params'] = params(colour=dice.pick(COLOURS))
        hit['params'] += dice.pick([[], params(size=dice.pick([-1, 38, 42])), params(colour='second')])
    return hit


def anything(shop, first=False):
    """A hit as a visitor makes it: mostly pages."""
    dice = shop.dice
    if 'nowhere' in shop.kinds and 'hostnames' not in shop.kinds and dice.chance(25):
        return dice.pick(NOWHERE)
    if 'events' in shop.kinds and dice.chance(45):
        return event(shop)
    if 'sales' in shop.kinds and dice.chance(15):
        return of_goods(shop, dice.pick(['view_item', 'add_to_cart', 'remove_from_cart', 'begin_checkout']))
    return page(shop, first=first)


def money(shop, micros):
    """An amount; mostly of one currency."""
    dice = shop.dice
    currency = dice.pick(CURRENCIES) if 'currencies' in shop.kinds else 'EUR'
    return ({'currency': currency} if currency else {}) | ({'micros': micros} if micros or not currency else {})


def of_goods(shop, name, **more):
    """A hit about some items, the same one on two lines now and then."""
    dice = shop.dice
    hit = {'name': name} | ({'url': page(shop)['url']} if 'hostnames' in shop.kinds or dice.chance(60) else {})
    lines = []
    for goods in dice.some(GOODS, dice.between(1, 3)) if 'items' in shop.kinds or dice.chance(30) else []:
        for _ in range(2 if dice.chance(25) else 1):
            line = goods | ({'variant': dice.pick(['S', 'L'])} if dice.chance(40) else {})
            line |= {'quantity': dice.pick([1, 2, 10])} if dice.chance(60) else {}
            lines.append(line | ({'discount_micros': dice.pick([1, 500_000])} if dice.chance(30) else {}))
    return hit | ({'items': lines} if lines else {}) | more


def purchase(shop, transaction=None):
    """A purchase of some items, with tax and shipping or not; now and then free, or without a value."""
    dice = shop.dice
    more = {'transaction_id': transaction} if transaction else {}
    if not dice.chance(8):
        more['value'] = money(shop, dice.pick([0, 12_340_000, 50_000_000, 49_990_000, 999_999_999, dice.between(1, 10**9)]))
        taxes = {name: dice.pick([1, 2.35, 0.07, 19.99, 0]) for name in ('tax', 'shipping') if dice.chance(50)}
        more |= {'params': params(**taxes)} if taxes else {}
    return of_goods(shop, 'purchase', **more)


def refund(shop, of):
    """The whole of a purchase, or a part of it, as a positive or a negative number."""
    dice, value = shop.dice, of.get('value')
    hit = {key: of[key] for key in ('url', 'transaction_id') if key in of} | {'name': 'refund'}
    if value and value.get('micros'):
        micros = value['micros'] if dice.chance(40) else max(1, value['micros'] // dice.pick([2, 3]))
        hit['value'] = value | {'micros': micros * dice.pick([1, 1, -1])}
    return hit | ({'items': of['items'][:dice.between(1, 3)]} if 'items' in of and dice.chance(70) else {})
