"""A shop in the making. Stories say what happened when; a plan is how clients number it and when it is received; only
the last step knows what the clients' clocks showed."""
from buckets import DAY, HOUR, MINUTE, SECOND

OLDEST, NEWEST = 72 * HOUR, -10 * MINUTE  # ages that the live lane takes
SEQS_OF_EPOCH = 60  # fewer than the holes that are remembered: however they arrive, none counts as filled
EPOCHS_OF_CLIENT = 8
OFFSETS = [59_999, 60_000, 60_001, -59_999, -60_000, 30 * SECOND, 5 * MINUTE, -7 * MINUTE, 3 * HOUR, -26 * HOUR,
           2 * 365 * DAY, -11 * 365 * DAY, None]


class Client:
    """One that numbers its hits."""

    def __init__(self, name, epoch, offset, context):
        self.name, self.context, self.offset, self.made = name, context, offset, []
        self.epoch, self.used = epoch, {epoch: 0}

    def turn_epoch(self, dice):
        """The next epoch, or another one of those that there were."""
        if len(self.used) < EPOCHS_OF_CLIENT - 1:
            self.epoch = max(self.used) + dice.pick([1, 2, 1000])
            self.used.setdefault(self.epoch, 0)
        elif free := [epoch for epoch, used in self.used.items() if used <= SEQS_OF_EPOCH - 4]:
            self.epoch = free[0]
        else:
            self.epoch = max(self.used) + 1
            self.used[self.epoch] = 0


class Shop:
    """What stories write to."""

    def __init__(self, dice, kinds, zone, start, end, timeout):
        self.dice, self.kinds, self.zone, self.timeout = dice, kinds, zone, timeout
        self.start, self.end, self.clients, self.hits, self.at_instant = start, end, [], 0, {}

    def client(self, name=None, **context):
        """A new client; or the one of that name, if there is one."""
        if known := [client for client in self.clients if client.name == name]:
            return known[0]
        name = name or f'{self.dice.pick(["c", "browser-", "ä", "app:"])}{len(self.clients)}'
        clock = 'clocks' in self.kinds and self.dice.chance(60)
        offset = self.dice.pick(OFFSETS) if clock else self.dice.between(-500, 3000)
        epoch = self.dice.pick([1, 1, 7, self.start])
        context = self.dice.pick([{}, {'country': 'de', 'language': 'de-DE'}, {'country': 'NP'}, {'language': 'en'}]) | context
        self.clients.append(Client(name, epoch, offset, context))
        return self.clients[-1]

    def moment(self):
        return self.dice.between(self.start, self.end)

    def add(self, client, at, hit, context=None, **more):
        """A hit of a client. `more` is what else is settled: `late` (received so much later), `wish` (received then), `age` (so
        old when received), `untimed`, `lane`, `seq`, `epoch`."""
        if 'gaps' in self.kinds and 'seq' not in more and self.dice.chance(8):
            hit = hit | {'skipped': self.dice.between(1, 3)}
        used = 1 + hit.get('skipped', 0)
        if 'epoch' not in more and client.used[client.epoch] + used > SEQS_OF_EPOCH:
            client.turn_epoch(self.dice)
        epoch = more.pop('epoch', client.epoch)
        client.used[epoch] = client.used.get(epoch, 0) + used
        actor = (context or {}).get('visitor_id') or client.context.get('visitor_id') or client.name
        # Which of two clients' hits at one instant comes first is not said for sessions.
        while self.at_instant.setdefault((actor, at), (client.name, epoch)) != (client.name, epoch):
            at += 1
        hit = hit | ({'context': context} if context else {})
        client.made.append({'at': at, 'hit': hit, 'epoch': epoch, 'context': dict(client.context), 'lane': 'live'} | more)
        self.hits += 1
        return at


def gather(shop):
    """The batches in which the hits of a shop are received."""
    return [batch for client in shop.clients for batch in batches_of(shop, client)]


def batches_of(shop, client):
    dice, batches, groups, room = shop.dice, [], [], 0
    for made in client.made:
        room -= 1
        if room < 0 or not belongs(groups[-1], made):
            groups.append([])
            room = dice.between(0, 14)
        groups[-1].append(made)
    next_seq = {}
    for index, group in enumerate(groups):
        if 'disorder' in shop.kinds and dice.chance(30):
            groups[index] = group = dice.shuffled(group)
        for made in group:
            seq = made.setdefault('seq', next_seq.get(made['epoch'], 1) + made['hit'].get('skipped', 0))
            next_seq[made['epoch']] = max(seq + 1, next_seq.get(made['epoch'], 1))
        batches.append(batch_of(shop, client, group))
        if 'duplicates' in shop.kinds:
            batches += repeated(shop, client, groups[:index + 1], batches[-1])
    return batches


def belongs(group, made):
    """Whether a hit can be sent in the batch of these."""
    times = [other['at'] for other in group + [made]]
    alone = any(key in other for other in (group[0], made) for key in ('late', 'wish', 'seq'))
    same = all(group[0][key] == made[key] for key in ('epoch', 'context', 'lane'))
    return same and not alone and max(times) - min(times) <= HOUR


def batch_of(shop, client, group):
    dice, newest, oldest = shop.dice, max(made['at'] for made in group), min(made['at'] for made in group)
    offset = client.offset
    if 'clocks' in shop.kinds and dice.chance(10):
        offset = dice.pick(OFFSETS)
    if 'wish' in group[0]:
        wish = group[0]['wish']
    elif group[0]['lane'] == 'history':
        wish = max(newest + SECOND, shop.start + dice.below(80 * HOUR))  # within the time for which sessions can move
    elif 'late' in group[0]:
        wish = newest + group[0]['late']
    elif 'disorder' in shop.kinds and dice.chance(30):
        wish = min(newest + dice.pick([dice.between(MINUTE, HOUR), dice.between(HOUR, 70 * HOUR)]), oldest + 71 * HOUR)
    elif 'disorder' in shop.kinds and dice.chance(10):
        wish = newest - dice.below(9 * MINUTE)
    else:
        wish = newest + dice.between(20, 5000)
    return {'client': client.name, 'epoch': group[0]['epoch'], 'context': group[0]['context'], 'lane': group[0]['lane'],
            'made': group, 'wish': wish, 'offset': offset, 'newest': newest, 'oldest': oldest}


def repeated(shop, client, groups, batch):
    """What is sent once more: the same bytes, the same hits anew, or a batch that overlaps with the last ones."""
    dice = shop.dice
    later = batch['wish'] + dice.pick([dice.between(1, 20 * SECOND), dice.between(MINUTE, 3 * HOUR)])
    if dice.chance(15):
        yield batch | {'again': batch, 'wish': later}
    if dice.chance(15):
        yield batch | {'wish': min(later, max(batch['oldest'] + 71 * HOUR, batch['wish'] + 1))}
    if dice.chance(25) and len(groups) > 1 and belongs(groups[-2][:1], batch['made'][0]):
        both = groups[-2] + groups[-1]
        first = dice.below(len(groups[-2]))
        part = both[first:dice.between(len(groups[-2]) + 1, len(both))]
        times = [made['at'] for made in part]
        if max(times) - min(times) < 60 * HOUR:
            wish = dice.pick([max(times) + dice.between(1, HOUR), max(times) + 1000])
            yield batch | {'made': part, 'wish': wish, 'newest': max(times), 'oldest': min(times)}


def wire(batches):
    """The batches in order of receipt, as lines of the file."""
    received, lines, sent = 0, [], {}
    for batch in sorted(batches, key=lambda batch: batch['wish']):
        received = max(received + 1, batch['wish'])
        again = sent.get(id(batch.get('again')))
        body = again or body_of(batch, received)
        if again and not all(is_admissible(hit, body, received, batch['lane']) for hit in body['hits']):
            continue
        for hit in body['hits']:
            if not is_admissible(hit, body, received, batch['lane']):
                raise ValueError(f'a hit at {hit.get("time_ms")} in a batch received at {received} would be refused')
        sent[id(batch)] = body
        lines.append({'received_ms': received, 'lane': batch['lane'], 'batch': body})
    return lines


def body_of(batch, received):
    """What the client sends if it is received then: its clock is off so that the hits happened when the plan says."""
    offset, first = batch['offset'], batch['made'][0]
    hits = [timed(made, received, correction(offset, batch['lane'])) for made in batch['made']]
    body = {'client_id': batch['client'], 'epoch': batch['epoch'], 'first_seq': first['seq'] - first['hit'].get('skipped', 0)}
    body |= {'sent_at_ms': received - offset} if offset is not None else {}
    return body | ({'context': batch['context']} if batch['context'] else {}) | {'hits': hits}


def timed(made, received, correction):
    if made.get('untimed'):
        return made['hit']
    at = received - made['age'] if 'age' in made else made['at']
    return {'name': made['hit']['name'], 'time_ms': at - correction} | made['hit']


def correction(offset, lane):
    return offset if lane == 'live' and offset is not None and abs(offset) >= MINUTE else 0


def is_admissible(hit, body, received, lane):
    offset = received - body['sent_at_ms'] if 'sent_at_ms' in body else None
    age = received - hit['time_ms'] - correction(offset, lane) if 'time_ms' in hit else 0
    return NEWEST <= age <= (OLDEST if lane == 'live' else received)


def rearranged(batches, dice):
    """The same batches, received in another order within the allowed lateness."""
    def other(batch):
        if batch['lane'] == 'history':
            return batch
        return batch | {'wish': dice.between(batch['newest'], max(batch['newest'], batch['oldest'] + 71 * HOUR))}
    moved = {id(batch): other(batch) for batch in batches if 'again' not in batch}
    copies = [batch | {'again': moved[id(batch['again'])], 'wish': moved[id(batch['again'])]['wish'] + dice.between(1, HOUR)}
              for batch in batches if 'again' in batch]
    return [*moved.values(), *copies]
