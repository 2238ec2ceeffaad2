//! The whole system from outside: a real `hitmill` process, spoken to as its users do.

#[cfg(test)]
mod system {
    mod books;
    mod complete;
    mod figures;
    mod import;
    mod live;
    mod neighbours;
    mod server;
    mod tidy;
}
