//! The load generator and the published figures.
//!
//! The system under test is another process, which is driven over its public gRPC API like any client would: what the
//! operating system says of the two processes is what serving and what generating cost. Nothing here knows the services.

mod options;
mod process;
mod report;

mod run;
mod scenario;

mod ask;
mod edge;
mod lab;
mod server;

pub mod workload;

mod latency;
mod machine;
mod random;

pub use options::{Options, ScenarioName, Target};
pub use process::Process;
pub use report::{Beside, Cpu, Latency, Machine, Queries, Report, Scenario, Storage};
pub use run::run;
