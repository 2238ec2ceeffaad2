"""What an import of an access log must give, worked out from the file alone: docs/semantics.md in Python's standard
library. Shares no code with the product. Usage: access_log.py FILE"""
import json, re, sys
from collections import Counter, defaultdict
from datetime import datetime, timezone
from urllib.parse import urlsplit

TEXT = r'"((?:[^"\\]|\\.)*)"'
LINE = re.compile(rf'(\S+) \S+ [^\[]+ \[([^\]]+)\] {TEXT} (\d{{3}}) (-|\d+)(?: {TEXT} {TEXT}.*)?\s*$')
REQUEST = re.compile(r'([A-Z]+) (\S.*?)(?: HTTP/\S+)?$')
PAGES = {'html', 'htm', 'xhtml', 'shtml', 'php', 'asp', 'aspx', 'jsp', 'cgi'}
FEEDS = {'xml', 'rss', 'atom', 'rdf'}
SESSION_SECONDS = 30 * 60
DAY_SECONDS = 24 * 60 * 60


def is_page_view(method, target, status):
    if method != 'GET' or not (200 <= status <= 299 or status == 304):
        return False
    path, _, query = target.split('#')[0].partition('?')
    last = path.split('/')[-1]
    extension = last.split('.')[-1].lower() if '.' in last else ''
    if not re.fullmatch(r'(?=.*[a-z])[a-z0-9]{1,10}', extension):
        extension = ''
    feed = (extension in FEEDS or re.search(r'(^|/)(feeds?|rss|atom)/?$', path, re.I)
            or re.search(r'(^|&)(feed|flav|format)=(?i:rss|atom)', query))
    return not feed and not path.startswith('/.well-known/') and (not extension or extension in PAGES)


def unescaped(text):
    raw = re.sub(rb'\\x([0-9a-fA-F]{2})', lambda hex: bytes([int(hex[1], 16)]), (text or '').encode())
    return re.sub(rb'\\(["\\])', rb'\1', raw).decode('utf-8', 'replace')


def referrer_host(referrer):
    try:
        parts = urlsplit(referrer)
        return (parts.hostname if parts.scheme in ('http', 'https') else '') or '(none)'
    except ValueError:
        return '(none)'


def read(path):
    entries, unreadable = [], []
    with open(path, encoding='utf-8', errors='replace', newline='\n') as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith('\n'):
                break  # perhaps still being written
            match = LINE.match(line)
            if not match:
                unreadable.append(number)
                continue
            address, time, request, status, _, referrer, agent = match.groups()
            request, referrer, agent = map(unescaped, (request, referrer, agent))
            at = datetime.strptime(time, '%d/%b/%Y:%H:%M:%S %z').astimezone(timezone.utc)
            request = REQUEST.match(request)
            entries.append((at, address, agent, request and request.groups(), int(status), referrer))
    return entries, unreadable


def hour(at):
    return at.strftime('%Y-%m-%dT%H:00:00Z')


def sessions_of(hits):
    """The sessions of one visitor, earliest first, each a list of its hits: (instant, line, referrer)."""
    sessions = []
    for hit in sorted(hits):
        pause = sessions and (hit[0] - sessions[-1][-1][0]).total_seconds()
        length = sessions and (hit[0] - sessions[-1][0][0]).total_seconds()
        if not sessions or pause > SESSION_SECONDS or length >= DAY_SECONDS:
            sessions.append([])
        sessions[-1].append(hit)
    return sessions


def main():
    entries, unreadable = read(sys.argv[1])
    views = [entry for entry in entries if entry[3] and is_page_view(*entry[3], entry[4])]
    hours, pages, hosts = Counter(), Counter(), Counter()
    visitors, hits = defaultdict(set), defaultdict(list)
    for line, (at, address, agent, (_, target), _, referrer) in enumerate(views):
        hours[hour(at)] += 1
        pages[re.split('[?#]', target)[0]] += 1
        visitors[hour(at)].add((address, agent))
        hits[address, agent].append((at, line, referrer))
    sessions = [sessions_of(of_one) for of_one in hits.values()]
    starts = [[session[0][0] for session in of_one] for of_one in sessions]
    for session in (session for of_one in sessions for session in of_one):
        # All hits of a session came from where its first one did: each has an address.
        hosts[referrer_host(session[0][2])] += len(session)
    print(json.dumps({
        'readable': len(entries), 'unreadable': unreadable, 'hits': len(views),
        'hits_by_hour': hours, 'hits_by_page': pages, 'hits_by_referrer_host': hosts,
        'visitors': len(hits), 'visitors_by_hour': {at: len(who) for at, who in visitors.items()},
        'sessions': sum(map(len, starts)), 'sessions_by_hour': Counter(hour(at) for one in starts for at in one),
        'new_visitors_by_hour': Counter(hour(one[0]) for one in starts),
    }))


if __name__ == '__main__':
    main()
