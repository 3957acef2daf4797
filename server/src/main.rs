//! The program `lingbao`: see `lingbao help`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What mimalloc is told: to give freed memory back at once, and to reserve none ahead. 200 people
/// clicking take 84 MB so, and 148 MB with its defaults (`docs/benchmarks.md`).
#[cfg(unix)]
const THRIFTY: [(&str, &str); 2] = [
    ("MIMALLOC_PURGE_DELAY", "0"),
    ("MIMALLOC_ARENA_RESERVE", "0"),
];

/// The allocator reads its settings from the environment before `main` begins: the program starts
/// itself anew with them, in the same process. What an administrator has set stands.
#[cfg(unix)]
fn with_thrifty_memory() {
    use std::os::unix::process::CommandExt;
    let missing: Vec<_> = THRIFTY
        .into_iter()
        .filter(|(name, _)| std::env::var_os(name).is_none())
        .collect();
    let (Ok(own), false) = (std::env::current_exe(), missing.is_empty()) else {
        return;
    };
    let mut arguments = std::env::args_os();
    let mut anew = std::process::Command::new(own);
    if let Some(name) = arguments.next() {
        anew.arg0(name);
    }
    // Comes back only if it can't be done; then the defaults do.
    let _ = anew.args(arguments).envs(missing).exec();
}

fn main() -> ExitCode {
    #[cfg(unix)]
    with_thrifty_memory();
    lingbao_server::cli::run()
}
