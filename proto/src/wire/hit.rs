use super::{ContextRef, Field, Fields, Malformed};

/// A `Hit`, borrowed. Empty texts and zero numbers are fields that were not set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HitRef<'a> {
    /// What happened.
    pub name: &'a str,
    /// When, by the client's clock; 0 is when it was received.
    pub time_ms: i64,
    /// Address of the page.
    pub url: &'a str,
    /// Address of the page before.
    pub referrer: &'a str,
    /// Title of the page.
    pub title: &'a str,
    /// Name of the screen.
    pub screen: &'a str,
    /// What it was worth.
    pub value: Option<MoneyRef<'a>>,
    /// Id of the purchase.
    pub transaction_id: &'a str,
    /// Facts that differ from the batch's.
    pub context: ContextRef<'a>,
    /// Seqs before this hit that are never sent.
    pub skipped: u32,
    /// The encoded hit, for walking its parameters.
    encoded: &'a [u8],
}

/// A `Money`, borrowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MoneyRef<'a> {
    /// ISO 4217 code, or empty.
    pub currency: &'a str,
    /// Millionths of its unit.
    pub micros: i64,
}

/// A `Param`, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParamRef<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: ParamValue<'a>,
}

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParamValue<'a> {
    /// Not set.
    None,
    /// Text.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
}

/// A `HitItem`, borrowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemRef<'a> {
    /// Its id in the shop.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its brand.
    pub brand: &'a str,
    /// Its category.
    pub category: &'a str,
    /// Its variant.
    pub variant: &'a str,
    /// What one of them costs, in millionths.
    pub price_micros: i64,
    /// How many; 0 is 1.
    pub quantity: u32,
    /// What was taken off the price of one, in millionths.
    pub discount_micros: i64,
}

const PARAMS: u32 = 9;
const ITEMS: u32 = 12;

impl<'a> HitRef<'a> {
    /// Reads an encoded `Hit`, all but its parameters and items.
    pub fn parse(encoded: &'a [u8]) -> Result<Self, Malformed> {
        let mut hit = Self { encoded, ..Self::default() };
        for field in Fields::of(encoded) {
            let field = field?;
            match field.number {
                1 => hit.name = field.text()?,
                2 => hit.time_ms = field.int64()?,
                3 => hit.url = field.text()?,
                4 => hit.referrer = field.text()?,
                5 => hit.title = field.text()?,
                6 => hit.screen = field.text()?,
                7 => hit.value.get_or_insert_default().read(field.bytes()?)?,
                8 => hit.transaction_id = field.text()?,
                10 => hit.context.read(field.bytes()?)?,
                11 => hit.skipped = field.uint32()?,
                _ => {}
            }
        }
        Ok(hit)
    }

    /// Its parameters.
    pub fn params(&self) -> impl Iterator<Item = Result<ParamRef<'a>, Malformed>> + use<'a> {
        self.messages(PARAMS).map(|message| ParamRef::parse(message?))
    }

    /// Its items.
    pub fn items(&self) -> impl Iterator<Item = Result<ItemRef<'a>, Malformed>> + use<'a> {
        self.messages(ITEMS).map(|message| ItemRef::parse(message?))
    }

    fn messages(&self, number: u32) -> impl Iterator<Item = Result<&'a [u8], Malformed>> + use<'a> {
        let is_one =
            move |field: &Result<Field<'a>, Malformed>| !matches!(field, Ok(f) if f.number != number);
        Fields::of(self.encoded).filter(is_one).map(|field| field?.bytes())
    }
}

impl<'a> MoneyRef<'a> {
    fn read(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        for field in Fields::of(message) {
            let field = field?;
            match field.number {
                1 => self.currency = field.text()?,
                2 => self.micros = field.int64()?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'a> ItemRef<'a> {
    fn parse(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut item = Self::default();
        for field in Fields::of(message) {
            let field = field?;
            match field.number {
                1 => item.id = field.text()?,
                2 => item.name = field.text()?,
                3 => item.brand = field.text()?,
                4 => item.category = field.text()?,
                5 => item.variant = field.text()?,
                6 => item.price_micros = field.int64()?,
                7 => item.quantity = field.uint32()?,
                8 => item.discount_micros = field.int64()?,
                _ => {}
            }
        }
        Ok(item)
    }
}

impl<'a> ParamRef<'a> {
    fn parse(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut param = Self { name: "", value: ParamValue::None };
        for field in Fields::of(message) {
            let field = field?;
            match field.number {
                1 => param.name = field.text()?,
                2 => param.value = ParamValue::Text(field.text()?),
                3 => param.value = ParamValue::Integer(field.int64()?),
                4 => param.value = ParamValue::Number(field.double()?),
                _ => {}
            }
        }
        Ok(param)
    }
}
