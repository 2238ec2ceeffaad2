"""What one hit says by itself: docs/semantics.md, Metrics and Dimensions. Knows nothing of other hits."""
import re
from urllib.parse import parse_qsl, urlsplit

NOT_SET = '(not set)'
BOTS = re.compile('Googlebot|bingbot|AhrefsBot|YandexBot')
PAGE_VIEWS = {'page_view', 'screen_view'}
FIRED_BY_SDKS = {'session_start', 'first_visit', 'user_engagement', 'scroll'}
CLICK_IDS = {
    'gclid': ('google', 'cpc'), 'gbraid': ('google', 'cpc'), 'wbraid': ('google', 'cpc'), 'dclid': ('google', 'display'),
    'msclkid': ('bing', 'cpc'), 'fbclid': None, 'ttclid': None, 'twclid': None, 'li_fat_id': None,
}
HIT_DIMENSIONS = ['page', 'hostname', 'hit_name', 'country', 'language', 'search_term', 'outbound', 'file', 'scroll_depth']
ACQUISITION = {  # and what a session without a lead has
    'source': '(direct)', 'medium': '(none)', 'campaign': NOT_SET, 'term': NOT_SET, 'content': NOT_SET,
    'click_id': NOT_SET, 'referrer_host': '(none)',
}
ITEM_DIMENSIONS = ['item_id', 'item_name', 'item_brand', 'item_category', 'item_variant']
ITEMS_OF = {
    'view_item': 'items_viewed', 'add_to_cart': 'items_added', 'begin_checkout': 'items_checked_out',
    'purchase': 'items_purchased', 'refund': 'items_refunded',
}
SUM_OF = {'purchase': 'revenue', 'refund': 'refunded'}


def host_of(address):
    return urlsplit(address).hostname or ''


def is_other_site(host, own):
    return host != '' and host.removeprefix('www.') != own.removeprefix('www.')


def as_text(param):
    """A parameter as a value of a dimension; of numbers only whole ones are settled."""
    return str(next((param[kind] for kind in ('text', 'integer', 'number') if kind in param), ''))


def params_of(hit):
    """The parameters by name: of one that comes twice the first counts."""
    named = {}
    for param in hit.get('params', []):
        named.setdefault(param['name'], param)
    return named


def text_of(hit, name):
    return as_text(params_of(hit).get(name, {})) or None


def page_of(hit):
    if hit.get('url'):
        return urlsplit(hit['url']).path or '/'
    return hit.get('screen') or NOT_SET


def dimensions(hit, context, names):
    """Values of the dimensions of hits; None where there is no row."""
    name, own = hit['name'], host_of(hit.get('url', ''))
    link = text_of(hit, 'link_url') if name == 'click' else None
    values = {
        'page': page_of(hit),
        'hostname': own or NOT_SET,
        'hit_name': name,
        'country': context.get('country', '').upper() or NOT_SET,
        'language': context.get('language') or NOT_SET,
        'search_term': text_of(hit, 'search_term') if name == 'view_search_results' else None,
        'outbound': link if link and is_other_site(host_of(link), own) else None,
        'file': text_of(hit, 'file_name') if name == 'file_download' else None,
        'scroll_depth': (text_of(hit, 'percent_scrolled') or '90') if name == 'scroll' else None,
    }
    return values | {dimension: text_of(hit, dimension.removeprefix('param:')) for dimension in names}


def acquisition(hit):
    """Where a visit came from whose lead this hit is."""
    url, tags = urlsplit(hit.get('url', '')), {}
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        tags.setdefault(name, value)
    tags = {name: value for name, value in tags.items() if value}
    referrer = host_of(hit.get('referrer', ''))
    referrer = referrer if is_other_site(referrer, url.hostname or '') else ''
    click_id = next((name for name in CLICK_IDS if name in tags), '')
    source, medium = CLICK_IDS.get(click_id) or ((referrer, 'referral') if referrer else ('(direct)', '(none)'))
    if 'utm_source' in tags:
        source, medium = tags['utm_source'], NOT_SET
    return {
        'source': source, 'medium': tags.get('utm_medium', medium), 'campaign': tags.get('utm_campaign', NOT_SET),
        'term': tags.get('utm_term', NOT_SET), 'content': tags.get('utm_content', NOT_SET),
        'click_id': click_id or NOT_SET, 'referrer_host': referrer or '(none)',
    }


def holds(condition, hit):
    """Whether a condition of the rules holds: `page^=/p/ and value>=50 or hit_name=sign_up`."""
    return any(all(test_holds(test.strip(), hit) for test in part.split(' and ')) for part in condition.split(' or '))


def test_holds(test, hit):
    subject, operator, wanted = re.fullmatch(r'([\w:]+)(\^=|>=|=)(.*)', test).groups()
    if operator == '>=':
        return 'value' in hit and hit['value'].get('micros', 0) >= int(wanted) * 1_000_000
    value = {'page': page_of(hit), 'hit_name': hit['name']}.get(subject) or text_of(hit, subject.removeprefix('param:')) or ''
    return value.startswith(wanted) if operator == '^=' else value == wanted


def filtered(hit, context, filters):
    """Why the merchant's filters leave a hit out; None if they do not."""
    hostnames = filters.get('hostnames')
    if filters.get('bots') and BOTS.search(context.get('user_agent', '')):
        return 'bot'
    if hostnames and host_of(hit.get('url', '')) not in hostnames:
        return 'hostname'
    return 'excluded' if any(holds(condition, hit) for condition in filters.get('exclude', [])) else None


def is_interaction(hit):
    interactive = params_of(hit).get('interactive', {})
    opted_out = interactive.get('text') == 'false' or interactive.get('integer') == 0
    return hit['name'] not in PAGE_VIEWS | FIRED_BY_SDKS and not opted_out


def money(hit):
    """The sums of money that a hit adds to, without those of its items: (metric, currency, micros)."""
    currency, sums = currency_of(hit), []
    if 'value' in hit:
        micros = hit['value'].get('micros', 0)
        micros = abs(micros) if hit['name'] == 'refund' else micros
        sums.append(('value', currency, micros))
        if hit['name'] in SUM_OF:
            sums.append((SUM_OF[hit['name']], currency, micros))
    if hit['name'] == 'purchase':
        for metric in ('tax', 'shipping'):
            param = params_of(hit).get(metric, {})
            sums.append((metric, currency, round(param.get('number', param.get('integer', 0)) * 1_000_000)))
    return sums


def currency_of(hit):
    return hit.get('value', {}).get('currency') or 'XXX'


def item_money(hit, item):
    """The same of one of its items."""
    quantity, price, discount = quantity_of(item), item.get('price_micros', 0), item.get('discount_micros', 0)
    if hit['name'] == 'purchase':
        return [('item_revenue', currency_of(hit), quantity * price), ('discount', currency_of(hit), quantity * discount)]
    return [('item_refunded', currency_of(hit), quantity * price)] if hit['name'] == 'refund' else []


def quantity_of(item):
    return item.get('quantity', 0) or 1
