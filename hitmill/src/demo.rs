//! A demo: people in a shop, played through the real SDK, and a table that real subscriptions move.
//!
//! [`shop`] says what people do, [`traffic`] sends it, [`live`] watches what comes of it, [`screen`] draws that; [`books`]
//! holds what was counted against what was sent.

mod shop;
mod traffic;

mod live;
mod marker;
mod samples;

mod guide;
mod plain;
mod screen;
mod terminal;
mod text;
mod view;

mod books;
mod dice;
mod home;
mod merchant;
mod play;

pub(crate) use home::Home;
pub(crate) use play::{Play, Show};
