//! Figures that need a counterpart in the same process: the portal against a bare handler and
//! against bare transactions. `scripts/bench` runs them; what is read is the ratio, because both
//! sides are measured in turn, on the same database, within one run.
//!
//! ```text
//! lingbao-benches list            the list of requests against a bare handler
//! lingbao-benches submit          a submit against bare transactions, on SQLite
//! lingbao-benches submit URL      the same on PostgreSQL
//! ```
#![recursion_limit = "512"]

mod city;
mod list;
mod replay;
mod rows;
mod submit;
mod times;

/// As in the program that is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What ends a run: nothing is handled here, everything is said.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => list::run().await,
        ["submit"] => submit::run(None).await,
        ["submit", url] => submit::run(Some(url)).await,
        _ => Err("say what to measure: list, submit, or submit URL".into()),
    }
}
