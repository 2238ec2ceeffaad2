//! The whole system from outside: a real `hitmill` process, or many, spoken to as its users do.

#[cfg(test)]
mod system {
    mod binary;
    mod books;
    #[cfg(feature = "cluster")]
    mod cluster;
    mod complete;
    mod doctor;
    mod faults;
    mod figures;
    mod held;
    mod http;
    mod import;
    mod live;
    mod lost;
    mod neighbours;
    mod process;
    mod server;
    mod shops;
    mod site;
    mod tidy;
    mod watcher;
}
