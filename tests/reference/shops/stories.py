"""What happens in a shop: each story is one kind of trouble. Stories are told by event times; plan.py makes batches of them."""
from datetime import date

import catalogue
from buckets import DAY, HOUR, MINUTE, QUARTER, SECOND, Zone

AFTER_THE_SKIPPED_DAY = date(2011, 12, 31)  # in Pacific/Apia

def pause(shop):
    """How long a visitor waits: now and then exactly as long as a session allows, or a millisecond more."""
    dice, limit = shop.dice, shop.timeout
    if 'borders' in shop.kinds and dice.chance(20):
        return dice.pick([limit, limit + 1, limit - 1, 10 * SECOND, 10 * SECOND + 1, 0])
    if dice.chance(12):
        return limit + dice.between(1, 3 * HOUR)
    return dice.between(1, limit) if dice.chance(15) else dice.between(0, min(limit, 5 * MINUTE))


def stroll(shop, client, at, length, **more):
    """A visitor who looks around."""
    for step in range(length):
        at = shop.add(client, at, catalogue.anything(shop, first=step == 0), **more) + pause(shop)
    return at


def visit(shop):
    """Someone comes, perhaps again the next day."""
    dice = shop.dice
    client = shop.client(**({'user_agent': dice.pick(catalogue.BROWSERS)} if dice.chance(70) else {}))
    for _ in range(dice.pick([1, 1, 2, 3])):
        stroll(shop, client, shop.moment(), dice.between(1, 8))


def sign_in(shop):
    """Somebody signs in half-way. Later hits repeat the user or not; another user may follow on the same device."""
    dice = shop.dice
    client, user = shop.client(), f'user{dice.below(5)}'
    at = stroll(shop, client, shop.moment(), dice.between(0, 3))
    at = shop.add(client, at, catalogue.anything(shop), {'user_id': user})
    if dice.chance(30):
        client.context['user_id'] = user
    at = stroll(shop, client, at + 1000, dice.between(0, 4), context=dice.pick([None, {'user_id': user}]))
    if dice.chance(40):
        client.context.pop('user_id', None)
        at = shop.add(client, at + 2000, catalogue.anything(shop), {'user_id': 'another'})
    client.context.pop('user_id', None)
    stroll(shop, client, at + dice.pick([SECOND, DAY]), dice.between(0, 3))


def two_clients(shop):
    """One user on two devices; once in a while the user's id is the id of one of the clients."""
    dice, clients = shop.dice, [shop.client(), shop.client()]
    user = clients[0].name if dice.chance(25) else f'user{dice.below(5)}'
    for client in clients:
        at = stroll(shop, client, shop.moment(), dice.between(0, 2))
        stroll(shop, client, at + SECOND, dice.between(1, 3), context={'user_id': user, 'country': 'fr'})


def server(shop):
    """A server that sends for many visitors, one of them under the id of a browser that sends for itself too."""
    dice, sender, browser = shop.dice, shop.client('server'), shop.client()
    for visitor in [browser.name, 'visitor1', 'visitor2', browser.name]:
        at = shop.moment()
        if visitor == browser.name:
            stroll(shop, browser, at - 1, 1)
        context = {'visitor_id': visitor, 'user_agent': dice.pick(catalogue.BROWSERS), 'country': dice.pick(['us', 'IN'])}
        if dice.chance(30):  # by the batch
            sender.context, context = sender.context | context, None
        elif dice.chance(20):
            context['user_id'] = 'user1'
        stroll(shop, sender, at, dice.between(1, 4), context=context)
        sender.context.pop('visitor_id', None)


def late(shop):
    """Late hits that join two sessions, begin one earlier, lengthen it, just miss it, or sign somebody in afterwards."""
    dice, client, limit = shop.dice, shop.client(), shop.timeout
    at = shop.moment()
    shop.add(client, at, catalogue.anything(shop, first=True))
    shop.add(client, at + dice.between(limit + 1, 2 * limit), catalogue.anything(shop, first=True))
    for other in dice.some([limit, -limit, -limit - 1, 3 * limit, limit // 2], dice.between(1, 4)):
        hit = catalogue.anything(shop, first=other < 0)
        context = {'user_id': f'user{dice.below(5)}'} if dice.chance(25) else None
        shop.add(client, at + other, hit, context, late=dice.pick([dice.between(1, HOUR), dice.between(4 * HOUR, 71 * HOUR)]))


def day_long(shop):
    """More than a day without a pause, cut at exactly 24 h or a millisecond later, perhaps moved by a late hit before all."""
    dice, client, at = shop.dice, shop.client(), shop.start + shop.dice.below(HOUR)
    begun, end = at, at + dice.pick([25, 30, 49]) * HOUR
    if end - at > 90 * shop.timeout * 3 // 4:
        return  # too many hits for one shop
    while at < end:
        shop.add(client, at, catalogue.page(shop))
        at += dice.between(shop.timeout * 2 // 3, shop.timeout)
    for border in (begun + DAY, begun + DAY - 1, begun + DAY + 1):
        if dice.chance(50):
            shop.add(client, border, catalogue.anything(shop))
    if dice.chance(60):
        before = begun - dice.between(1, shop.timeout)
        shop.add(client, before, catalogue.anything(shop, first=True), late=dice.between(30 * HOUR, 70 * HOUR))


def epochs(shop):
    """A client that forgets where it was, several times."""
    client = shop.client()
    for _ in range(shop.dice.between(2, 7)):
        stroll(shop, client, shop.moment(), shop.dice.between(1, 2))
        client.turn_epoch(shop.dice)


def forgotten(shop):
    """More epochs than are remembered: what comes of the first one then is in no count."""
    client, at = shop.client(), shop.moment()
    for epoch in [2, 3, 4, 5, 6, 7, 8, 9, 10, 2, 1, 3, 10]:
        client.context = {'language': f'x{epoch}'}
        at = shop.add(client, at, catalogue.page(shop), epoch=epoch, seq=shop.dice.between(1, 2), wish=at + SECOND) + MINUTE


def holes(shop):
    """Seqs far behind the highest: only the latest 64 of those that are missing can still come."""
    client, at = shop.client(), shop.moment()
    for seq in [1, 150, 2, 85, 86, 86, 149, 200, 87]:
        at = shop.add(client, at, catalogue.page(shop), epoch=1, seq=seq, wish=at + SECOND) + MINUTE


def impostor(shop):
    """The same seq twice, with something else in it: what came first counts."""
    client, at = shop.client(), shop.moment()
    for seq, make in ((1, catalogue.page), (2, catalogue.event), (1, catalogue.event), (3, catalogue.page)):
        at = shop.add(client, at, make(shop), epoch=1, seq=seq, wish=at + SECOND) + MINUTE


def bots(shop):
    """Well-known bots, by the agent of the batch or of the hit; one in the middle of somebody's session."""
    dice, client = shop.dice, shop.client(user_agent=shop.dice.pick(catalogue.BOTS))
    stroll(shop, client, shop.moment(), dice.between(1, 6))
    client = shop.client(user_agent=dice.pick(catalogue.BROWSERS))
    at = stroll(shop, client, shop.moment(), 2)
    robot = {'user_agent': dice.pick(catalogue.BOTS), 'user_id': 'robot'}
    at = shop.add(client, at + shop.timeout, catalogue.page(shop), robot)
    stroll(shop, client, at + shop.timeout, 2)


def sales(shop):
    """From looking at goods to a purchase, with a refund some time later, perhaps on another day."""
    dice, client, at = shop.dice, shop.client(), shop.moment()
    for name in ['view_item', 'add_to_cart', 'remove_from_cart', 'begin_checkout']:
        if dice.chance(75):
            at = shop.add(client, at, catalogue.of_goods(shop, name)) + min(pause(shop), shop.timeout)
        if dice.chance(30):
            at = shop.add(client, at, catalogue.page(shop, dice.pick(['/p/pin', '/cart', '/checkout']))) + SECOND
    bought = catalogue.purchase(shop, f'T{shop.hits}' if dice.chance(60) else None)
    at = shop.add(client, at, bought)
    shop.add(client, at + 1, catalogue.page(shop, '/thanks'))
    if dice.chance(50):
        shop.add(client, at + dice.pick([MINUTE, HOUR, DAY]), catalogue.refund(shop, bought))
        if dice.chance(30):
            midnight = zone_of(shop).start('day', at) + dice.pick([0, DAY - 1, DAY, -1])
            shop.add(client, max(at, midnight) + 1, catalogue.refund(shop, bought))


def sold_twice(shop):
    """One transaction of browser and server, or of three: any of them is the first, by a little or a lot, or none is."""
    dice, at = shop.dice, shop.moment()
    transaction = f'order-{shop.hits}'
    client, others = shop.client(), [shop.client(dice.pick(['server', None])) for _ in range(dice.pick([1, 1, 2]))]
    at = stroll(shop, client, at, dice.between(0, 3))
    for sender in dice.shuffled([client, *others]):
        more = {'late': dice.between(HOUR, 70 * HOUR)} if dice.chance(40) else {}
        context = dice.pick([None, {'visitor_id': client.name}, {'visitor_id': 'v1'}]) if sender.name == 'server' else None
        off = dice.pick([0, 1, -1, SECOND, -MINUTE, -HOUR, 2 * HOUR])
        shop.add(sender, at + off, catalogue.purchase(shop, transaction), context, **more)
    stroll(shop, client, at + MINUTE, 1)


def borders(shop):
    """Hits at the very borders of quarters, hours and days of the zone, and of sessions."""
    dice, zone, at = shop.dice, zone_of(shop), shop.moment()
    for granularity in ('quarter', 'hour', 'day', 'week', 'month'):
        border = zone.start(granularity, at)
        if border < shop.start:
            border = zone.next(granularity, border)
        client = shop.client()
        for off in dice.some([0, -1, 1], 2) if border <= shop.end + DAY else []:
            shop.add(client, border + off, catalogue.anything(shop, first=True))
    client = shop.client()
    for off in (0, shop.timeout, 2 * shop.timeout + 1, 2 * shop.timeout + 1 + dice.pick([10_000, 10_001])):
        shop.add(client, at + off, catalogue.anything(shop))


def clock_change(shop):
    """Hits around the instant at which the zone's clocks change, if they do in the time of the shop."""
    dice, zone = shop.dice, zone_of(shop)
    hours = range(shop.start, shop.end, HOUR)
    for before in hours:
        if zone.offset(before) != zone.offset(before + HOUR):
            change, client = zone.change(before, before + HOUR), shop.client()
            for off in dice.some([-HOUR, -30 * MINUTE, -QUARTER, -1, 0, 1, 30 * MINUTE, HOUR, HOUR - 1, 2 * HOUR], 6):
                shop.add(client, change + off, catalogue.anything(shop, first=True))


def untimed(shop):
    """Hits without a time: they happened when they were received."""
    client = shop.client()
    for _ in range(shop.dice.between(1, 4)):
        stroll(shop, client, shop.moment(), shop.dice.between(1, 3), untimed=True)
        stroll(shop, client, shop.moment(), 1)


def oldest(shop):
    """As old and as early as the live lane takes."""
    for age in (72 * HOUR, -10 * MINUTE):
        shop.add(shop.client(), shop.moment() - age, catalogue.page(shop, first=True), age=age)
    for made in (client.made[0] for client in shop.clients[-2:]):
        made['wish'] = made['at'] + made['age']


def history(shop):
    """Older hits that are imported while live ones come in: also of clients and transactions that are known from now."""
    dice, zone = shop.dice, zone_of(shop)
    for client in [shop.client(), *dice.some(shop.clients, 2)]:
        long_ago = shop.start - dice.between(HOUR, 60 * DAY)
        if zone.name == 'Pacific/Apia' and dice.chance(60):
            long_ago = zone.midnight(AFTER_THE_SKIPPED_DAY) + dice.pick([-1, 0, -DAY, DAY - 1])
        stroll(shop, client, dice.pick([long_ago, shop.start - MINUTE]), dice.between(1, 5), lane='history')
    if dice.chance(30):
        shop.add(shop.client(), dice.pick([1, DAY]), catalogue.page(shop), lane='history')
    if 'sales' in shop.kinds:
        shop.add(shop.client(), shop.start - DAY, catalogue.purchase(shop, f'order-{dice.below(50)}'), lane='history')


def zone_of(shop):
    return Zone(shop.zone)
