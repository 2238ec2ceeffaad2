//! What the shop has: its products and its other pages, each list with the most popular first.

/// Where the shop is.
pub(super) const SITE: &str = "https://nordhut.example";

/// Products of a kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Category {
    pub(super) name: &'static str,
    pub(super) products: [Product; 8],
}

/// Something to buy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) name: &'static str,
    pub(super) cents: i64,
}

/// Pages about the shop itself.
pub(super) static ABOUT: [&str; 7] =
    ["Shipping", "Returns", "Size guide", "Journal", "Stores", "Gift cards", "Contact"];

/// What is searched for.
pub(super) static SEARCHES: [&str; 6] = ["rain jacket", "tent 2 person", "boots", "stove", "down", "sale"];

/// Everything that is sold.
pub(super) static CATEGORIES: [Category; 6] = [
    Category {
        name: "Jackets",
        products: [
            product("Fjord rain jacket", 18_900),
            product("Lofoten down jacket", 27_900),
            product("Skagen windbreaker", 9_990),
            product("Tromso parka", 34_900),
            product("Bergen softshell", 14_900),
            product("Oslo fleece", 7_990),
            product("Geiranger hardshell", 39_900),
            product("Kids puddle jacket", 5_990),
        ],
    },
    Category {
        name: "Tents",
        products: [
            product("Hut 2 tent", 32_900),
            product("Hut 3 tent", 39_900),
            product("Solo bivy", 14_900),
            product("Family dome", 54_900),
            product("Tarp 3x3", 8_900),
            product("Footprint for Hut 2", 3_990),
            product("Titanium pegs", 2_490),
            product("Guy line kit", 1_290),
        ],
    },
    Category {
        name: "Boots",
        products: [
            product("Ridge mid boots", 21_900),
            product("Trail low shoes", 13_900),
            product("Summit boots", 29_900),
            product("Camp slippers", 4_990),
            product("Approach shoes", 15_900),
            product("Winter boots", 18_900),
            product("Gaiters", 4_490),
            product("Wool socks", 1_990),
        ],
    },
    Category {
        name: "Backpacks",
        products: [
            product("Daypack 22", 8_900),
            product("Trek 45", 17_900),
            product("Trek 65", 22_900),
            product("Running vest 8", 9_900),
            product("Dry bag 20", 2_990),
            product("Hip pack", 3_990),
            product("Rain cover", 2_490),
            product("Kids pack 12", 5_490),
        ],
    },
    Category {
        name: "Sleeping",
        products: [
            product("Down bag 0", 28_900),
            product("Down bag minus 10", 38_900),
            product("Summer quilt", 15_900),
            product("Air mat light", 12_900),
            product("Foam mat", 3_490),
            product("Silk liner", 5_990),
            product("Pillow", 2_990),
            product("Pump sack", 2_490),
        ],
    },
    Category {
        name: "Kitchen",
        products: [
            product("Gas stove mini", 4_990),
            product("Pot set 2", 6_490),
            product("Steel bottle 1l", 3_490),
            product("Espresso maker", 4_490),
            product("Spork set", 1_490),
            product("Fire steel", 1_790),
            product("Water filter", 5_490),
            product("Wind shield", 1_990),
        ],
    },
];

const fn product(name: &'static str, cents: i64) -> Product {
    Product { name, cents }
}

/// The part of an address that stands for a name.
pub(super) fn slug(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}
