use hitmill_sdk::Hit;

use super::people::Lead;
use super::range::{ABOUT, CATEGORIES, Category, Product, SEARCHES, SITE, slug};
use crate::demo::dice::Dice;

/// What everything is sold for.
const CURRENCY: &str = "EUR";
const MICROS_PER_CENT: i64 = 10_000;

/// Somebody's way through the shop.
#[derive(Debug)]
pub(super) struct Visit {
    place: Place,
    /// Address of the page that was seen last.
    url: String,
    basket: Vec<&'static Product>,
    campaign: &'static str,
}

/// Where somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Not in the shop yet.
    Door,
    Home,
    Search,
    Category(&'static Category),
    Product(&'static Product),
    About(&'static str),
    Cart,
    Checkout,
    Thanks,
}

impl Visit {
    /// Somebody comes.
    pub(super) fn new(lead: &'static Lead) -> Self {
        Self {
            place: Place::Door,
            url: lead.referrer.to_owned(),
            basket: Vec::new(),
            campaign: lead.campaign,
        }
    }

    /// The next thing that somebody does; false if that is to leave.
    pub(super) fn go_on(&mut self, dice: &mut Dice, out: &mut Vec<Hit>) -> bool {
        let next = match self.place {
            Place::Product(product) if dice.chance(0.16) => return self.take(product, dice, out),
            Place::Checkout if dice.chance(0.65) => Some(self.pay(dice, out)),
            place => way_on(place, dice),
        };
        match next {
            Some(place) => self.look(place, dice, out),
            None => return false,
        }
        true
    }

    /// Where somebody is now.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    fn look(&mut self, place: Place, dice: &mut Dice, out: &mut Vec<Hit>) {
        let mut url = format!("{SITE}{}", place.path());
        match place {
            Place::Search => {
                let term = *dice.popular(&SEARCHES);
                url = format!("{url}?q={}", slug(term));
                out.push(Hit::new("search").url(&url).param("term", term));
            }
            Place::Checkout => out.push(Hit::new("begin_checkout").url(&url)),
            _ if self.place == Place::Door && !self.campaign.is_empty() => {
                url = format!("{url}?{}", self.campaign);
            }
            _ => {}
        }
        let referrer = std::mem::replace(&mut self.url, url);
        out.push(Hit::page(&self.url).referrer(referrer).title(place.title()));
        self.place = place;
    }

    fn take(&mut self, product: &'static Product, dice: &mut Dice, out: &mut Vec<Hit>) -> bool {
        let micros = product.cents * MICROS_PER_CENT;
        out.push(
            Hit::new("add_to_cart").url(&self.url).value(CURRENCY, micros).param("product", product.name),
        );
        self.basket.push(product);
        self.look(Place::Cart, dice, out);
        true
    }

    fn pay(&mut self, dice: &mut Dice, out: &mut Vec<Hit>) -> Place {
        let cents: i64 = self.basket.drain(..).map(|product| product.cents).sum();
        let order = format!("N-{:08x}", dice.roll() >> 32);
        out.push(
            Hit::new("purchase")
                .url(&self.url)
                .value(CURRENCY, cents * MICROS_PER_CENT)
                .transaction_id(order),
        );
        Place::Thanks
    }
}

/// Where people go from here; `None` is out of the shop.
fn way_on(from: Place, dice: &mut Dice) -> Option<Place> {
    let kind = dice.popular(&CATEGORIES);
    let category = Place::Category(kind);
    let product = match from {
        Place::Category(here) => Place::Product(dice.popular(&here.products)),
        _ => Place::Product(dice.popular(&kind.products)),
    };
    let about = Place::About(dice.popular::<&str>(&ABOUT));
    let ways = match from {
        // Searches and campaigns lead into the middle of the shop.
        Place::Door => [(50, Some(Place::Home)), (20, Some(category)), (28, Some(product)), (2, Some(about))],
        Place::Home => [(50, Some(category)), (22, Some(product)), (14, Some(Place::Search)), (14, None)],
        Place::Search => [(75, Some(product)), (10, Some(category)), (0, None), (15, None)],
        Place::Category(_) => [(70, Some(product)), (14, Some(category)), (4, Some(Place::Home)), (12, None)],
        Place::Product(_) => [(44, Some(product)), (26, Some(category)), (8, Some(about)), (22, None)],
        Place::About(_) => [(30, Some(category)), (20, Some(Place::Home)), (10, Some(about)), (40, None)],
        Place::Cart => [(50, Some(Place::Checkout)), (30, Some(product)), (4, Some(about)), (16, None)],
        Place::Checkout => [(20, Some(Place::Cart)), (10, Some(about)), (0, None), (70, None)],
        Place::Thanks => [(20, Some(Place::Home)), (10, Some(product)), (0, None), (70, None)],
    };
    *dice.weighted(&ways)
}

impl Place {
    fn path(self) -> String {
        match self {
            Self::Door | Self::Home => "/".to_owned(),
            Self::Search => "/search".to_owned(),
            Self::Category(category) => format!("/{}", slug(category.name)),
            Self::Product(product) => format!("/p/{}", slug(product.name)),
            Self::About(name) => format!("/about/{}", slug(name)),
            Self::Cart => "/cart".to_owned(),
            Self::Checkout => "/checkout".to_owned(),
            Self::Thanks => "/checkout/thank-you".to_owned(),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Door | Self::Home => "Nordhut, for outside",
            Self::Search => "Search",
            Self::Category(category) => category.name,
            Self::Product(product) => product.name,
            Self::About(name) => name,
            Self::Cart => "Your cart",
            Self::Checkout => "Checkout",
            Self::Thanks => "Thank you",
        }
    }
}
